//! `identity` and `identity(by_default, start = 1000)`.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitInt, Result, Token};

use crate::word::{self, Flag, Setting};

/// A column whose values PostgreSQL counts up.
pub(crate) struct Identity {
    /// Where a type that is no number is an error.
    pub(crate) span: Span,
    by_default: bool,
    options: Vec<String>,
}

const WORDS: [&str; 8] =
    ["always", "by_default", "start", "increment", "min", "max", "cache", "cycle"];

#[derive(Default)]
struct Options {
    kind: Setting<bool>,
    cycle: Flag,
    given: Vec<(Ident, String)>,
}

impl Identity {
    pub(crate) fn parse(word: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut options = Options::default();
        word::maybe_nested(input, |input| options.item(input))?;
        Ok(Self {
            span: word.span(),
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
        let word = word::word(input)?;
        match word.to_string().as_str() {
            "always" => self.kind.set(&word, false),
            "by_default" => self.kind.set(&word, true),
            "cycle" => {
                self.cycle.set(&word, ())?;
                self.add(&word, "CYCLE".to_owned())
            }
            "start" => self.number(&word, "START WITH", input),
            "increment" => self.number(&word, "INCREMENT BY", input),
            "min" => self.number(&word, "MINVALUE", input),
            "max" => self.number(&word, "MAXVALUE", input),
            "cache" => self.number(&word, "CACHE", input),
            _ => Err(word::unknown("option of an identity", &word, &WORDS)),
        }
    }

    fn number(&mut self, word: &Ident, sql: &str, input: ParseStream<'_>) -> Result<()> {
        input.parse::<Token![=]>()?;
        let minus = input.parse::<Option<Token![-]>>()?.map_or("", |_| "-");
        let number: i64 = input.parse::<LitInt>()?.base10_parse()?;
        self.add(word, format!("{sql} {minus}{number}"))
    }

    fn add(&mut self, word: &Ident, sql: String) -> Result<()> {
        if self.given.iter().any(|(it, _)| it == word) {
            return Err(Error::new(word.span(), format!("`{word}` is given twice")));
        }
        self.given.push((word.clone(), sql));
        Ok(())
    }
}
