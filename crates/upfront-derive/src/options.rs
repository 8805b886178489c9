//! `#[table(…)]`: the attributes of a table.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Attribute, Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

use crate::attribute::{self, Flag, Setting};
use crate::case::Case;
use crate::constraint::{Check, Constraint, Exclude, Unique};
use crate::foreign_key::ForeignKey;
use crate::index::Index;
use crate::naming::Naming;
use crate::policy::Policy;

/// The attributes of the struct.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) path: Setting<Path>,
    pub(crate) schema: Setting<LitStr>,
    pub(crate) naming: Naming,
    pub(crate) rename_all: Setting<Case>,
    pub(crate) unlogged: Flag,
    pub(crate) with: Setting<LitStr>,
    pub(crate) partition_by: Setting<LitStr>,
    pub(crate) primary_key: Setting<Unique>,
    pub(crate) no_primary_key: Flag,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) row_security: Setting<RowSecurity>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) comments: Flag,
    pub(crate) comment: Setting<LitStr>,
    pub(crate) raw_before: Vec<Expr>,
    pub(crate) raw: Vec<Expr>,
}

#[derive(Clone, Copy)]
pub(crate) enum RowSecurity {
    On,
    Forced,
}

const KEYWORDS: [&str; 21] = [
    "schema",
    "name",
    "renamed_from",
    "rename_all",
    "primary_key",
    "no_primary_key",
    "unique",
    "index",
    "check",
    "exclude",
    "foreign_key",
    "rls",
    "policy",
    "comments",
    "comment",
    "unlogged",
    "with",
    "partition_by",
    "raw_before",
    "raw",
    "crate",
];

impl Options {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut it = Self::default();
        attribute::parse_attributes(attributes, "table", |input| it.item(input))?;
        Ok(it)
    }

    fn item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword.to_string().as_str() {
            "crate" => self.path.set(&keyword, path(input)?),
            "schema" => self.schema.set(&keyword, attribute::name(&keyword, input)?),
            "rename_all" => {
                self.rename_all.set(&keyword, Case::parse(&attribute::text(&keyword, input)?)?)
            }
            "comments" => self.comments.set(&keyword, ()),
            "comment" => self.comment.set(&keyword, attribute::text(&keyword, input)?),
            "unlogged" => self.unlogged.set(&keyword, ()),
            "with" => self.with.set(&keyword, attribute::text(&keyword, input)?),
            "partition_by" => self.partition_by.set(&keyword, attribute::text(&keyword, input)?),
            "no_primary_key" => self.no_primary_key.set(&keyword, ()),
            it if Naming::KEYWORDS.contains(&it) => self.naming.parse(&keyword, input),
            _ => self.object(&keyword, input),
        }
    }

    /// What there may be several of, and what is an object of its own in PostgreSQL.
    fn object(&mut self, keyword: &Ident, input: ParseStream<'_>) -> Result<()> {
        match keyword.to_string().as_str() {
            "primary_key" => {
                return self.primary_key.set(keyword, Unique::of_table(keyword, input)?);
            }
            "rls" => return self.row_security.set(keyword, RowSecurity::parse(input)?),
            "unique" => {
                self.constraints.push(Constraint::Unique(Unique::of_table(keyword, input)?));
            }
            "check" => self.constraints.push(Constraint::Check(Check::parse(keyword, input)?)),
            "exclude" => {
                self.constraints.push(Constraint::Exclude(Exclude::parse(keyword, input)?));
            }
            "index" => self.indexes.push(Index::of_table(keyword, input)?),
            "foreign_key" => self.foreign_keys.push(ForeignKey::of_table(keyword, input)?),
            "policy" => self.policies.push(Policy::parse(keyword, input)?),
            "raw" => self.raw.push(raw(keyword, input)?),
            "raw_before" => self.raw_before.push(raw(keyword, input)?),
            _ => {
                return Err(attribute::unknown_keyword("attribute of a table", keyword, &KEYWORDS));
            }
        }
        Ok(())
    }

    /// What follows the columns of `CREATE TABLE`.
    pub(crate) fn suffix(&self) -> String {
        let partition = self.partition_by.value().map(|it| format!(" PARTITION BY {it}"));
        let with = self.with.value().map(|it| format!(" WITH ({it})"));
        partition.into_iter().chain(with).collect()
    }

    pub(crate) fn row_security(&self) -> TokenStream {
        match self.row_security.get() {
            None => quote! { __upfront::RowSecurity::Off },
            Some(RowSecurity::On) => quote! { __upfront::RowSecurity::On },
            Some(RowSecurity::Forced) => quote! { __upfront::RowSecurity::Forced },
        }
    }
}

impl RowSecurity {
    /// Nothing, or `(force)`.
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut force = Flag::default();
        attribute::in_optional_parentheses(input, |input| {
            let keyword = attribute::keyword(input)?;
            match keyword == "force" {
                true => force.set(&keyword, ()),
                false => Err(attribute::unknown_keyword("option of `rls`", &keyword, &["force"])),
            }
        })?;
        Ok(if force.is_set() { Self::Forced } else { Self::On })
    }
}

/// `= upfront::model`.
pub(crate) fn path(input: ParseStream<'_>) -> Result<Path> {
    input.parse::<Token![=]>()?;
    input.call(Path::parse_mod_style)
}

/// `= "…"` or a macro that makes a string.
fn raw(keyword: &Ident, input: ParseStream<'_>) -> Result<Expr> {
    if !input.peek(Token![=]) {
        return Err(Error::new(
            keyword.span(),
            format!("`{keyword}` needs SQL: `{keyword} = \"…\"`"),
        ));
    }
    input.parse::<Token![=]>()?;
    let sql: Expr = input.parse()?;
    match &sql {
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) | Expr::Macro(_) => Ok(sql),
        _ => {
            let message = format!("`{keyword}` is SQL in a string, or `include_str!(\"…\")`");
            Err(Error::new_spanned(sql, message))
        }
    }
}
