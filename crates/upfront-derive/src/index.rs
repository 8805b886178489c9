//! `index(…)`.

use std::fmt::Write;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result, Token, token};

use crate::attribute::{self, Flag, Setting};
use crate::columns::Columns;
use crate::element::{Element, Key, Order};
use crate::naming::Naming;

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
    pub(crate) fn of_table(keyword: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        attribute::in_parentheses(input, |input| {
            if !it.option(input)? {
                it.elements.push(Element::parse(input)?);
            }
            Ok(())
        })?;
        match it.elements.is_empty() {
            true => {
                Err(Error::new(keyword.span(), "over which columns? `index(a, lower(b), unique)`"))
            }
            false => Ok(it),
        }
    }

    /// `index` or `index(desc, unique)` of a field.
    pub(crate) fn of_field(field: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        let mut order = Order::default();
        attribute::in_optional_parentheses(input, |input| match it.option(input)? {
            true => Ok(()),
            false => order_of_field(&mut order, input),
        })?;
        it.elements.push(Element { key: Key::Column(field.clone()), order });
        Ok(it)
    }

    /// Whether the next word is an option; then it is read.
    fn option(&mut self, input: ParseStream<'_>) -> Result<bool> {
        let ahead = input.fork();
        let Ok(next) = attribute::keyword(&ahead) else { return Ok(false) };
        let flag = attribute::is_at_item_end(&ahead);
        let value = ahead.peek(Token![=]);
        let list = ahead.peek(token::Paren);
        match next.to_string().as_str() {
            "unique" | "nulls_not_distinct" if flag => self.flag(input)?,
            "include" if list => {
                let keyword = attribute::keyword(input)?;
                self.include.set(&keyword, attribute::keyword_list(input)?)?;
            }
            "opclass" | "collate" if value => return Ok(false),
            _ if value => self.value(input)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn flag(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword == "unique" {
            true => self.unique.set(&keyword, ()),
            false => self.nulls_not_distinct.set(&keyword, ()),
        }
    }

    fn value(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword.to_string().as_str() {
            "using" => self.using.set(&keyword, attribute::symbol(&keyword, input)?),
            "where" => self.predicate.set(&keyword, attribute::text(&keyword, input)?),
            "with" => self.with.set(&keyword, attribute::text(&keyword, input)?),
            it if Naming::KEYWORDS.contains(&it) => self.naming.parse(&keyword, input),
            _ => Err(attribute::unknown_keyword("option of an index", &keyword, &OPTIONS)),
        }
    }

    pub(crate) fn definition(&self, columns: &Columns) -> Result<TokenStream> {
        let naming = self.naming.fields()?;
        let unique = self.unique.is_set();
        let clause = self.clause(columns)?;
        Ok(quote! { __upfront::Index { #naming, unique: #unique, clause: #clause } })
    }

    fn clause(&self, columns: &Columns) -> Result<String> {
        if let (Some(keyword), false) = (self.nulls_not_distinct.keyword(), self.unique.is_set()) {
            return Err(Error::new(keyword.span(), "`nulls_not_distinct` is for a `unique` index"));
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
    let next = attribute::keyword(&input.fork())?;
    match next.to_string().as_str() {
        "asc" | "desc" | "nulls" => order.parse_all(input),
        "collate" => {
            let keyword = attribute::keyword(input)?;
            order.collate.set(&keyword, attribute::text(&keyword, input)?)
        }
        "opclass" => {
            let keyword = attribute::keyword(input)?;
            order.opclass.set(&keyword, attribute::symbol(&keyword, input)?)
        }
        _ => Err(attribute::unknown_keyword("option of an index", &next, &known())),
    }
}

fn known() -> Vec<&'static str> {
    OPTIONS.into_iter().chain(ORDER).collect()
}
