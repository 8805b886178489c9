//! Parses attributes: keywords and their values.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Ident, LitStr, Meta, Result, Token, parenthesized, token};

/// PostgreSQL cuts longer names off.
const LONGEST_NAME: usize = 63;

/// A setting that may be given once.
pub(crate) struct Setting<T>(Option<(Ident, T)>);

/// A keyword without a value that may be given once.
pub(crate) type Flag = Setting<()>;

impl<T> Default for Setting<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Setting<T> {
    pub(crate) fn set(&mut self, keyword: &Ident, value: T) -> Result<()> {
        match self.0.replace((keyword.clone(), value)) {
            Some(_) => Err(Error::new(keyword.span(), format!("`{keyword}` is given twice"))),
            None => Ok(()),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Its keyword.
    pub(crate) fn keyword(&self) -> Option<&Ident> {
        self.0.as_ref().map(|(keyword, _)| keyword)
    }
}

impl Setting<LitStr> {
    pub(crate) fn value(&self) -> Option<String> {
        self.get().map(LitStr::value)
    }
}

/// Parses all attributes of that name, `#[name(…, …)]`, item by item. Reports an error for each
/// attribute.
pub(crate) fn parse_attributes(
    attributes: &[Attribute],
    name: &str,
    mut read: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    let ours = attributes.iter().filter(|it| it.path().is_ident(name));
    collect_errors(ours, |attribute| match &attribute.meta {
        Meta::List(list) => {
            let parser = |input: ParseStream<'_>| parse_list(input, &mut read);
            Parser::parse2(parser, list.tokens.clone())
        }
        meta => Err(Error::new_spanned(meta, format!("write it as `#[{name}(…)]`"))),
    })
}

/// Parses a comma-separated list.
pub(crate) fn parse_list(
    input: ParseStream<'_>,
    mut read: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    while !input.is_empty() {
        read(input)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// Checks each item and combines all errors.
pub(crate) fn collect_errors<T>(
    items: impl IntoIterator<Item = T>,
    check: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let errors = items.into_iter().map(check).filter_map(Result::err);
    match errors.reduce(combine) {
        Some(err) => Err(err),
        None => Ok(()),
    }
}

pub(crate) fn combine(mut one: Error, other: Error) -> Error {
    one.combine(other);
    one
}

/// An identifier, including keywords of Rust.
pub(crate) fn keyword(input: ParseStream<'_>) -> Result<Ident> {
    input.call(Ident::parse_any)
}

/// Identifiers in parentheses.
pub(crate) fn keyword_list(input: ParseStream<'_>) -> Result<Vec<Ident>> {
    let mut keywords = Vec::new();
    in_parentheses(input, |inner| {
        keywords.push(keyword(inner)?);
        Ok(())
    })?;
    Ok(keywords)
}

/// Parses a comma-separated list in parentheses.
pub(crate) fn in_parentheses(
    input: ParseStream<'_>,
    read: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    let inner;
    parenthesized!(inner in input);
    parse_list(&inner, read)
}

/// The same, if there are parentheses.
pub(crate) fn in_optional_parentheses(
    input: ParseStream<'_>,
    read: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    match input.peek(token::Paren) {
        true => in_parentheses(input, read),
        false => Ok(()),
    }
}

/// `= "…"`.
pub(crate) fn text(keyword: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    if !input.peek(Token![=]) {
        return Err(Error::new(
            keyword.span(),
            format!("`{keyword}` needs a value: `{keyword} = \"…\"`"),
        ));
    }
    input.parse::<Token![=]>()?;
    quoted(keyword, input)
}

/// `"…"`.
pub(crate) fn quoted(keyword: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let text: LitStr = input
        .parse()
        .map_err(|err| Error::new(err.span(), format!("`{keyword}` is a string: `\"…\"`")))?;
    match text.value() {
        it if it.contains('\0') => Err(error_at(&text, "PostgreSQL has no text with a NUL in it")),
        it if it.trim().is_empty() => Err(error_at(&text, &format!("`{keyword}` is empty"))),
        _ => Ok(text),
    }
}

/// `= gin`, `= extensions.gin_trgm_ops`, or SQL in a string.
pub(crate) fn symbol(keyword: &Ident, input: ParseStream<'_>) -> Result<String> {
    if !input.peek(Token![=]) || input.peek2(LitStr) {
        return text(keyword, input).map(|it| it.value());
    }
    input.parse::<Token![=]>()?;
    path(&self::keyword(input)?, input)
}

/// What follows the first word of a name that may have dots in it.
pub(crate) fn path(first: &Ident, input: ParseStream<'_>) -> Result<String> {
    let mut path = vec![first.unraw().to_string()];
    while input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        path.push(keyword(input)?.unraw().to_string());
    }
    Ok(path.join("."))
}

/// `= "…"`, a name that PostgreSQL keeps as it is.
pub(crate) fn name(keyword: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let name = text(keyword, input)?;
    check_length(&name.value(), name.span())?;
    Ok(name)
}

/// `= "…"` on a single line: it goes into a comment.
pub(crate) fn single_line(keyword: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let text = text(keyword, input)?;
    match text.value().contains(['\n', '\r']) {
        true => Err(error_at(&text, &format!("`{keyword}` stands on one line"))),
        false => Ok(text),
    }
}

/// Whether PostgreSQL keeps the name as it is.
pub(crate) fn check_length(name: &str, span: Span) -> Result<()> {
    let length = name.len();
    match length > LONGEST_NAME {
        true => Err(Error::new(
            span,
            format!(
                "a name has at most {LONGEST_NAME} bytes in PostgreSQL, which would cut the {length} \
                 of this one off"
            ),
        )),
        false => Ok(()),
    }
}

fn error_at(text: &LitStr, why: &str) -> Error {
    Error::new(text.span(), why)
}

/// The error for an unknown keyword.
pub(crate) fn unknown_keyword(what: &str, keyword: &Ident, known: &[&str]) -> Error {
    let hint = match closest(&keyword.unraw().to_string(), known) {
        Some(it) => format!("; did you mean `{it}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; there are `{}`", known.join("`, `")),
    };
    Error::new(keyword.span(), format!("no {what} is called `{}`{hint}", keyword.unraw()))
}

fn closest<'a>(keyword: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |it: &str| strsim::damerau_levenshtein(keyword, it);
    let best = known.iter().copied().min_by_key(|it| distance(it))?;
    (distance(best) <= (keyword.chars().count() / 3).max(1)).then_some(best)
}

/// Whether the item ends here.
pub(crate) fn is_at_item_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}
