//! Words of an attribute, and what stands behind them.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Ident, LitStr, Meta, Result, Token, parenthesized, token};

/// PostgreSQL cuts longer names off.
const LONGEST_NAME: usize = 63;

/// Something that may be given once.
pub(crate) struct Setting<T>(Option<(Ident, T)>);

/// A word that may be given once and has nothing behind it.
pub(crate) type Flag = Setting<()>;

impl<T> Default for Setting<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Setting<T> {
    pub(crate) fn set(&mut self, word: &Ident, value: T) -> Result<()> {
        match self.0.replace((word.clone(), value)) {
            Some(_) => Err(Error::new(word.span(), format!("`{word}` is given twice"))),
            None => Ok(()),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// The word that gave it.
    pub(crate) fn word(&self) -> Option<&Ident> {
        self.0.as_ref().map(|(word, _)| word)
    }
}

impl Setting<LitStr> {
    pub(crate) fn value(&self) -> Option<String> {
        self.get().map(LitStr::value)
    }
}

/// Reads all attributes of that name, `#[name(…, …)]`, one item after the other. Each attribute may
/// be wrong in its own way.
pub(crate) fn each_attribute(
    attributes: &[Attribute],
    name: &str,
    mut read: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    let ours = attributes.iter().filter(|it| it.path().is_ident(name));
    all(ours, |attribute| match &attribute.meta {
        Meta::List(list) => {
            let parser = |input: ParseStream<'_>| each(input, &mut read);
            Parser::parse2(parser, list.tokens.clone())
        }
        meta => Err(Error::new_spanned(meta, format!("write it as `#[{name}(…)]`"))),
    })
}

/// Reads what stands between commas.
pub(crate) fn each(
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

/// Does it for each and keeps every error.
pub(crate) fn all<T>(
    items: impl IntoIterator<Item = T>,
    check: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let errors = items.into_iter().map(check).filter_map(Result::err);
    match errors.reduce(joined) {
        Some(err) => Err(err),
        None => Ok(()),
    }
}

pub(crate) fn joined(mut one: Error, other: Error) -> Error {
    one.combine(other);
    one
}

/// A word, keywords of Rust included.
pub(crate) fn word(input: ParseStream<'_>) -> Result<Ident> {
    input.call(Ident::parse_any)
}

/// The words in parentheses behind a word.
pub(crate) fn words(input: ParseStream<'_>) -> Result<Vec<Ident>> {
    let mut words = Vec::new();
    nested(input, |inner| {
        words.push(word(inner)?);
        Ok(())
    })?;
    Ok(words)
}

/// Reads what stands in parentheses, between commas.
pub(crate) fn nested(
    input: ParseStream<'_>,
    read: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    let inner;
    parenthesized!(inner in input);
    each(&inner, read)
}

/// The same, where there may be no parentheses.
pub(crate) fn maybe_nested(
    input: ParseStream<'_>,
    read: impl FnMut(ParseStream<'_>) -> Result<()>,
) -> Result<()> {
    match input.peek(token::Paren) {
        true => nested(input, read),
        false => Ok(()),
    }
}

/// `= "…"`.
pub(crate) fn text(word: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    if !input.peek(Token![=]) {
        return Err(Error::new(word.span(), format!("`{word}` needs a value: `{word} = \"…\"`")));
    }
    input.parse::<Token![=]>()?;
    quoted(word, input)
}

/// `"…"`.
pub(crate) fn quoted(word: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let text: LitStr = input
        .parse()
        .map_err(|err| Error::new(err.span(), format!("`{word}` is a string: `\"…\"`")))?;
    match text.value() {
        it if it.contains('\0') => Err(refused(&text, "PostgreSQL has no text with a NUL in it")),
        it if it.trim().is_empty() => Err(refused(&text, &format!("`{word}` is empty"))),
        _ => Ok(text),
    }
}

/// `= gin`, `= extensions.gin_trgm_ops`, or SQL in a string.
pub(crate) fn symbol(word: &Ident, input: ParseStream<'_>) -> Result<String> {
    if !input.peek(Token![=]) || input.peek2(LitStr) {
        return text(word, input).map(|it| it.value());
    }
    input.parse::<Token![=]>()?;
    path(&self::word(input)?, input)
}

/// What follows the first word of a name that may have dots in it.
pub(crate) fn path(first: &Ident, input: ParseStream<'_>) -> Result<String> {
    let mut path = vec![first.unraw().to_string()];
    while input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        path.push(word(input)?.unraw().to_string());
    }
    Ok(path.join("."))
}

/// `= "…"`, a name that PostgreSQL keeps as it is.
pub(crate) fn name(word: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let name = text(word, input)?;
    fits(&name.value(), name.span())?;
    Ok(name)
}

/// `= "…"` on a single line: it goes into a comment.
pub(crate) fn line(word: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let text = text(word, input)?;
    match text.value().contains(['\n', '\r']) {
        true => Err(refused(&text, &format!("`{word}` stands on one line"))),
        false => Ok(text),
    }
}

/// Whether PostgreSQL keeps the name as it is.
pub(crate) fn fits(name: &str, span: Span) -> Result<()> {
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

fn refused(text: &LitStr, why: &str) -> Error {
    Error::new(text.span(), why)
}

/// The error for a word that is none of those.
pub(crate) fn unknown(what: &str, word: &Ident, known: &[&str]) -> Error {
    let hint = match closest(&word.unraw().to_string(), known) {
        Some(it) => format!("; did you mean `{it}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; there are `{}`", known.join("`, `")),
    };
    Error::new(word.span(), format!("no {what} is called `{}`{hint}", word.unraw()))
}

fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |it: &str| strsim::damerau_levenshtein(word, it);
    let best = known.iter().copied().min_by_key(|it| distance(it))?;
    (distance(best) <= (word.chars().count() / 3).max(1)).then_some(best)
}

/// `word` alone, with nothing behind it.
pub(crate) fn stands_alone(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}
