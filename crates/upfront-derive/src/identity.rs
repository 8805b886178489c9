//! `identity` and `identity(by_default, start = 1000)`.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitInt, Result, Token};

use crate::attribute::{self, Flag, Setting};

/// A column whose values PostgreSQL counts up.
pub(crate) struct Identity {
    /// Where a type that is no number is an error.
    pub(crate) span: Span,
    by_default: bool,
    options: Vec<String>,
}

const KEYWORDS: [&str; 8] =
    ["always", "by_default", "start", "increment", "min", "max", "cache", "cycle"];

#[derive(Default)]
struct Options {
    kind: Setting<bool>,
    cycle: Flag,
    given: Vec<(Ident, String)>,
}

impl Identity {
    pub(crate) fn parse(keyword: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut options = Options::default();
        attribute::in_optional_parentheses(input, |input| options.item(input))?;
        Ok(Self {
            span: keyword.span(),
            by_default: options.kind.get().copied().unwrap_or_default(),
            options: options.given.into_iter().map(|(_, sql)| sql).collect(),
        })
    }

    pub(crate) fn sql(&self) -> String {
        let kind = if self.by_default { "BY DEFAULT" } else { "ALWAYS" };
        let options = match self.options.is_empty() {
            true => String::new(),
            false => format!(" ({})", self.options.join(" ")),
        };
        format!("GENERATED {kind} AS IDENTITY{options}")
    }
}

impl Options {
    fn item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword.to_string().as_str() {
            "always" => self.kind.set(&keyword, false),
            "by_default" => self.kind.set(&keyword, true),
            "cycle" => {
                self.cycle.set(&keyword, ())?;
                self.add(&keyword, "CYCLE".to_owned())
            }
            "start" => self.number(&keyword, "START WITH", input),
            "increment" => self.number(&keyword, "INCREMENT BY", input),
            "min" => self.number(&keyword, "MINVALUE", input),
            "max" => self.number(&keyword, "MAXVALUE", input),
            "cache" => self.number(&keyword, "CACHE", input),
            _ => Err(attribute::unknown_keyword("option of an identity", &keyword, &KEYWORDS)),
        }
    }

    fn number(&mut self, keyword: &Ident, sql: &str, input: ParseStream<'_>) -> Result<()> {
        input.parse::<Token![=]>()?;
        let minus = input.parse::<Option<Token![-]>>()?.map_or("", |_| "-");
        let number: i64 = input.parse::<LitInt>()?.base10_parse()?;
        self.add(keyword, format!("{sql} {minus}{number}"))
    }

    fn add(&mut self, keyword: &Ident, sql: String) -> Result<()> {
        if self.given.iter().any(|(it, _)| it == keyword) {
            return Err(Error::new(keyword.span(), format!("`{keyword}` is given twice")));
        }
        self.given.push((keyword.clone(), sql));
        Ok(())
    }
}
