//! `index(…)`.

use std::fmt::Write;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result, Token, token};

use crate::columns::Columns;
use crate::element::{Element, Key, Order};
use crate::naming::Naming;
use crate::word::{self, Flag, Setting};

/// An index, of a table or of one column.
#[derive(Default)]
pub(crate) struct Index {
    elements: Vec<Element>,
    naming: Naming,
    unique: Flag,
    nulls_not_distinct: Flag,
    using: Setting<String>,
    include: Setting<Vec<Ident>>,
    predicate: Setting<LitStr>,
    with: Setting<LitStr>,
}

const OPTIONS: [&str; 8] =
    ["unique", "nulls_not_distinct", "using", "include", "where", "with", "name", "renamed_from"];
/// Of the index of a field. That of a table has them behind each of its columns.
const ORDER: [&str; 5] = ["asc", "desc", "nulls", "collate", "opclass"];

impl Index {
    /// `index(a, lower(b) desc, unique)` of a table.
    pub(crate) fn of_table(word: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        word::nested(input, |input| {
            if !it.option(input)? {
                it.elements.push(Element::parse(input)?);
            }
            Ok(())
        })?;
        match it.elements.is_empty() {
            true => {
                Err(Error::new(word.span(), "over which columns? `index(a, lower(b), unique)`"))
            }
            false => Ok(it),
        }
    }

    /// `index` or `index(desc, unique)` of a field.
    pub(crate) fn of_field(field: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        let mut order = Order::default();
        word::maybe_nested(input, |input| match it.option(input)? {
            true => Ok(()),
            false => order_of_field(&mut order, input),
        })?;
        it.elements.push(Element { key: Key::Column(field.clone()), order });
        Ok(it)
    }

    /// Whether the next word is an option; then it is read.
    fn option(&mut self, input: ParseStream<'_>) -> Result<bool> {
        let ahead = input.fork();
        let Ok(next) = word::word(&ahead) else { return Ok(false) };
        let flag = word::stands_alone(&ahead);
        let value = ahead.peek(Token![=]);
        let list = ahead.peek(token::Paren);
        match next.to_string().as_str() {
            "unique" | "nulls_not_distinct" if flag => self.flag(input)?,
            "include" if list => {
                let word = word::word(input)?;
                self.include.set(&word, word::words(input)?)?;
            }
            "opclass" | "collate" if value => return Ok(false),
            _ if value => self.value(input)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn flag(&mut self, input: ParseStream<'_>) -> Result<()> {
        let word = word::word(input)?;
        match word == "unique" {
            true => self.unique.set(&word, ()),
            false => self.nulls_not_distinct.set(&word, ()),
        }
    }

    fn value(&mut self, input: ParseStream<'_>) -> Result<()> {
        let word = word::word(input)?;
        match word.to_string().as_str() {
            "using" => self.using.set(&word, word::symbol(&word, input)?),
            "where" => self.predicate.set(&word, word::text(&word, input)?),
            "with" => self.with.set(&word, word::text(&word, input)?),
            it if Naming::WORDS.contains(&it) => self.naming.parse(&word, input),
            _ => Err(word::unknown("option of an index", &word, &OPTIONS)),
        }
    }

    pub(crate) fn definition(&self, columns: &Columns) -> Result<TokenStream> {
        let naming = self.naming.fields()?;
        let unique = self.unique.is_set();
        let clause = self.clause(columns)?;
        Ok(quote! { __upfront::Index { #naming, unique: #unique, clause: #clause } })
    }

    fn clause(&self, columns: &Columns) -> Result<String> {
        if let (Some(word), false) = (self.nulls_not_distinct.word(), self.unique.is_set()) {
            return Err(Error::new(word.span(), "`nulls_not_distinct` is for a `unique` index"));
        }
        let elements: Result<Vec<_>> = self.elements.iter().map(|it| it.sql(columns)).collect();
        let using = self.using.get().map(|it| format!("USING {it} ")).unwrap_or_default();
        let mut sql = format!("{using}({})", elements?.join(", "));
        let mut add = |text: &str| write!(sql, " {text}").expect("a string takes all");
        if let Some(include) = self.include.get() {
            add(&format!("INCLUDE ({})", columns.list(include)?));
        }
        if self.nulls_not_distinct.is_set() {
            add("NULLS NOT DISTINCT");
        }
        if let Some(with) = self.with.value() {
            add(&format!("WITH ({with})"));
        }
        if let Some(predicate) = self.predicate.value() {
            add(&format!("WHERE {predicate}"));
        }
        Ok(sql)
    }
}

fn order_of_field(order: &mut Order, input: ParseStream<'_>) -> Result<()> {
    let next = word::word(&input.fork())?;
    match next.to_string().as_str() {
        "asc" | "desc" | "nulls" => order.parse_all(input),
        "collate" => {
            let word = word::word(input)?;
            order.collate.set(&word, word::text(&word, input)?)
        }
        "opclass" => {
            let word = word::word(input)?;
            order.opclass.set(&word, word::symbol(&word, input)?)
        }
        _ => Err(word::unknown("option of an index", &next, &known())),
    }
}

fn known() -> Vec<&'static str> {
    OPTIONS.into_iter().chain(ORDER).collect()
}
