//! What an index is over: a column, a call or SQL, and how it is sorted.

use std::fmt::Write;

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitInt, LitStr, Result, Token, parenthesized, token};

use crate::attribute::{self, Setting};
use crate::columns::Columns;
use crate::sql;

/// Words that are no columns, in whichever index.
const KEYWORDS: [&str; 3] = ["unique", "nulls_not_distinct", "include"];

/// One element of an index.
pub(crate) struct Element {
    pub(crate) key: Key,
    pub(crate) order: Order,
}

/// What the element is.
pub(crate) enum Key {
    Column(Ident),
    Call(Call),
    Sql(LitStr),
}

/// `lower(email)`: a function over columns, numbers and other calls.
pub(crate) struct Call {
    function: Vec<Ident>,
    arguments: Vec<Argument>,
}

enum Argument {
    Column(Ident),
    Call(Call),
    Number(LitInt),
}

/// `collate "C" text_pattern_ops desc nulls last`, all of which may be missing.
#[derive(Default)]
pub(crate) struct Order {
    pub(crate) collate: Setting<LitStr>,
    pub(crate) opclass: Setting<String>,
    direction: Setting<&'static str>,
    nulls: Setting<&'static str>,
}

impl Element {
    pub(crate) fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = Key::parse(input)?;
        let mut order = Order::default();
        order.parse_all(input)?;
        Ok(Self { key, order })
    }

    pub(crate) fn sql(&self, columns: &Columns) -> Result<String> {
        Ok(self.key.sql(columns)? + &self.order.sql())
    }
}

impl Key {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitStr) {
            return Ok(Self::Sql(input.parse()?));
        }
        let first = attribute::keyword(input)?;
        match input.peek(token::Paren) || input.peek(Token![.]) {
            true => Ok(Self::Call(Call::parse(first, input)?)),
            false => Ok(Self::Column(first)),
        }
    }

    fn sql(&self, columns: &Columns) -> Result<String> {
        match self {
            Self::Column(field) => columns.quoted(field, &KEYWORDS),
            Self::Call(call) => call.sql(columns),
            Self::Sql(text) => Ok(format!("({})", text.value())),
        }
    }
}

impl Call {
    fn parse(first: Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut function = vec![first];
        while input.peek(Token![.]) {
            input.parse::<Token![.]>()?;
            function.push(attribute::keyword(input)?);
        }
        let inner;
        parenthesized!(inner in input);
        let mut arguments = Vec::new();
        attribute::parse_list(&inner, |input| {
            arguments.push(Argument::parse(input)?);
            match attribute::is_at_item_end(input) {
                true => Ok(()),
                false => Err(no_call(input)),
            }
        })?;
        Ok(Self { function, arguments })
    }

    fn sql(&self, columns: &Columns) -> Result<String> {
        let function: Vec<_> = self.function.iter().map(|it| it.unraw().to_string()).collect();
        let arguments: Result<Vec<_>> = self.arguments.iter().map(|it| it.sql(columns)).collect();
        Ok(format!("{}({})", function.join("."), arguments?.join(", ")))
    }
}

impl Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitInt) {
            return Ok(Self::Number(input.parse()?));
        }
        match Key::parse(input).map_err(|_| no_call(input))? {
            Key::Column(field) => Ok(Self::Column(field)),
            Key::Call(call) => Ok(Self::Call(call)),
            Key::Sql(text) => Err(Error::new(text.span(), NO_CALL)),
        }
    }

    fn sql(&self, columns: &Columns) -> Result<String> {
        match self {
            Self::Column(field) => columns.quoted(field, &[]),
            Self::Call(call) => call.sql(columns),
            Self::Number(number) => Ok(number.to_string()),
        }
    }
}

const NO_CALL: &str = "only columns, whole numbers and calls are allowed in a call: write the whole \
                       expression as a string, `\"…\"`";

fn no_call(input: ParseStream<'_>) -> Error {
    input.error(NO_CALL)
}

impl Order {
    /// All of it, up to the next comma.
    pub(crate) fn parse_all(&mut self, input: ParseStream<'_>) -> Result<()> {
        while !attribute::is_at_item_end(input) {
            self.parse(input)?;
        }
        Ok(())
    }

    /// One word of it.
    fn parse(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(LitStr) {
            let text: LitStr = input.parse()?;
            return self.opclass.set(&Ident::new("opclass", text.span()), text.value());
        }
        let first = attribute::keyword(input)?;
        match first.to_string().as_str() {
            "asc" => self.direction.set(&first, "ASC"),
            "desc" => self.direction.set(&first, "DESC"),
            "collate" => self.collate.set(&first, attribute::quoted(&first, input)?),
            "nulls" => self.nulls.set(&first, nulls(input)?),
            _ => self.opclass.set(&first, attribute::path(&first, input)?),
        }
    }

    pub(crate) fn sql(&self) -> String {
        let mut sql = String::new();
        let mut add = |text: &str| write!(sql, " {text}").expect("a string takes all");
        if let Some(collation) = self.collate.value() {
            add(&format!("COLLATE {}", sql::quoted(&collation)));
        }
        let keywords = [self.opclass.get().map(String::as_str), self.direction.get().copied()];
        keywords.into_iter().chain([self.nulls.get().copied()]).flatten().for_each(&mut add);
        sql
    }
}

fn nulls(input: ParseStream<'_>) -> Result<&'static str> {
    let which = attribute::keyword(input)?;
    match which.to_string().as_str() {
        "first" => Ok("NULLS FIRST"),
        "last" => Ok("NULLS LAST"),
        _ => Err(attribute::unknown_keyword("place for nulls", &which, &["first", "last"])),
    }
}
