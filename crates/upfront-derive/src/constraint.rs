//! `primary_key(…)`, `unique(…)`, `check(…)` and `exclude(…)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result, Token};

use crate::attribute::{self, Flag, Setting};
use crate::columns::Columns;
use crate::naming::{Deferral, Naming};

/// A constraint in `CREATE TABLE`.
pub(crate) enum Constraint {
    Unique(Unique),
    Check(Check),
    Exclude(Exclude),
}

impl Constraint {
    pub(crate) fn definition(&self, columns: &Columns) -> Result<TokenStream> {
        match self {
            Self::Unique(it) => it.definition(columns),
            Self::Check(it) => it.definition(),
            Self::Exclude(it) => it.definition(),
        }
    }
}

fn definition(naming: &Naming, clause: &str) -> Result<TokenStream> {
    let naming = naming.fields()?;
    Ok(quote! { __upfront::Constraint { #naming, clause: #clause } })
}

/// A primary key or a unique constraint.
pub(crate) struct Unique {
    kind: &'static str,
    pub(crate) columns: Vec<Ident>,
    naming: Naming,
    nulls_not_distinct: Flag,
    include: Setting<Vec<Ident>>,
    deferral: Deferral,
}

impl Unique {
    /// Those of a unique constraint; a primary key has all but the first.
    const KEYWORDS: [&str; 6] = [
        "nulls_not_distinct",
        "include",
        "deferrable",
        "initially_deferred",
        "name",
        "renamed_from",
    ];

    /// `unique(a, b)` of a table.
    pub(crate) fn of_table(keyword: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let it = Self::parse(keyword, input)?;
        match it.columns.is_empty() {
            true => {
                Err(Error::new(keyword.span(), format!("over which columns? `{keyword}(a, b)`")))
            }
            false => Ok(it),
        }
    }

    /// `unique` of a field.
    pub(crate) fn of_field(keyword: &Ident, field: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::parse(keyword, input)?;
        if let Some(other) = it.columns.first() {
            return Err(attribute::unknown_keyword(
                &format!("option of `{keyword}`"),
                other,
                it.keywords(),
            ));
        }
        it.columns.push(field.clone());
        Ok(it)
    }

    fn parse(keyword: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self {
            kind: if keyword == "unique" { "UNIQUE" } else { "PRIMARY KEY" },
            columns: Vec::new(),
            naming: Naming::default(),
            nulls_not_distinct: Flag::default(),
            include: Setting::default(),
            deferral: Deferral::default(),
        };
        attribute::in_optional_parentheses(input, |input| it.item(input))?;
        Ok(it)
    }

    fn item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword.to_string().as_str() {
            "include" => self.include.set(&keyword, attribute::keyword_list(input)?),
            "nulls_not_distinct" if self.kind == "UNIQUE" => {
                self.nulls_not_distinct.set(&keyword, ())
            }
            it if Deferral::KEYWORDS.contains(&it) => self.deferral.parse(&keyword),
            it if Naming::KEYWORDS.contains(&it) => self.naming.parse(&keyword, input),
            _ if attribute::is_at_item_end(input) => {
                self.columns.push(keyword);
                Ok(())
            }
            _ => Err(attribute::unknown_keyword("option of a key", &keyword, self.keywords())),
        }
    }

    fn keywords(&self) -> &'static [&'static str] {
        const { &Self::KEYWORDS }.split_at(usize::from(self.kind != "UNIQUE")).1
    }

    pub(crate) fn definition(&self, columns: &Columns) -> Result<TokenStream> {
        let distinct = if self.nulls_not_distinct.is_set() { " NULLS NOT DISTINCT" } else { "" };
        let include = match self.include.get() {
            Some(fields) => format!(" INCLUDE ({})", columns.list(fields)?),
            None => String::new(),
        };
        let (kind, deferral) = (self.kind, self.deferral.sql());
        let list = columns.list(&self.columns)?;
        definition(&self.naming, &format!("{kind}{distinct} ({list}){include}{deferral}"))
    }
}

/// `check("…")`.
pub(crate) struct Check {
    expression: LitStr,
    naming: Naming,
    no_inherit: Flag,
}

impl Check {
    const KEYWORDS: [&str; 3] = ["no_inherit", "name", "renamed_from"];

    /// `check = "…"` or `check("…", name = "…")`.
    pub(crate) fn parse(keyword: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let (mut expression, mut naming) = (Setting::default(), Naming::default());
        let mut no_inherit = Flag::default();
        if input.peek(Token![=]) {
            expression.set(keyword, attribute::text(keyword, input)?)?;
        }
        attribute::in_optional_parentheses(input, |input| {
            if input.peek(LitStr) {
                return expression.set(keyword, attribute::quoted(keyword, input)?);
            }
            let next = attribute::keyword(input)?;
            match next.to_string().as_str() {
                "no_inherit" => no_inherit.set(&next, ()),
                it if Naming::KEYWORDS.contains(&it) => naming.parse(&next, input),
                _ => Err(attribute::unknown_keyword("option of a check", &next, &Self::KEYWORDS)),
            }
        })?;
        match expression.get() {
            Some(it) => Ok(Self { expression: it.clone(), naming, no_inherit }),
            None => Err(Error::new(keyword.span(), "what is checked? `check(\"age >= 18\")`")),
        }
    }

    fn definition(&self) -> Result<TokenStream> {
        let no_inherit = if self.no_inherit.is_set() { " NO INHERIT" } else { "" };
        definition(&self.naming, &format!("CHECK ({}){no_inherit}", self.expression.value()))
    }
}

/// `exclude(gist: "room WITH =, during WITH &&")`.
#[derive(Default)]
pub(crate) struct Exclude {
    elements: Setting<(String, LitStr)>,
    predicate: Setting<LitStr>,
    naming: Naming,
    deferral: Deferral,
}

impl Exclude {
    const KEYWORDS: [&str; 5] =
        ["where", "deferrable", "initially_deferred", "name", "renamed_from"];

    pub(crate) fn parse(keyword: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        attribute::in_optional_parentheses(input, |input| it.item(input))?;
        if it.elements.is_set() {
            return Ok(it);
        }
        Err(Error::new(
            keyword.span(),
            "what excludes each other? `exclude(gist: \"room WITH =\")`",
        ))
    }

    fn item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword.to_string().as_str() {
            method if input.peek(Token![:]) => {
                input.parse::<Token![:]>()?;
                let elements = attribute::quoted(&keyword, input)?;
                self.elements.set(&keyword, (method.to_owned(), elements))
            }
            "where" => self.predicate.set(&keyword, attribute::text(&keyword, input)?),
            it if Deferral::KEYWORDS.contains(&it) => self.deferral.parse(&keyword),
            it if Naming::KEYWORDS.contains(&it) => self.naming.parse(&keyword, input),
            _ => {
                Err(attribute::unknown_keyword("option of an exclusion", &keyword, &Self::KEYWORDS))
            }
        }
    }

    fn definition(&self) -> Result<TokenStream> {
        let using = self.elements.get().map(|(it, text)| format!("{it} ({})", text.value()));
        let predicate = self.predicate.value().map(|it| format!(" WHERE ({it})"));
        let (using, predicate) = (using.unwrap_or_default(), predicate.unwrap_or_default());
        let deferral = self.deferral.sql();
        definition(&self.naming, &format!("EXCLUDE USING {using}{predicate}{deferral}"))
    }
}
