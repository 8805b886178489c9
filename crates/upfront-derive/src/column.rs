//! `#[col(…)]`: a field, and the column it is.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Error, Field, Ident, LitStr, Result, Type};

use crate::attribute::{self, Flag, Setting};
use crate::case::Case;
use crate::constraint::{Check, Constraint, Unique};
use crate::documentation;
use crate::foreign_key::ForeignKey;
use crate::identity::Identity;
use crate::index::Index;
use crate::naming::{Naming, optional};
use crate::sql;

/// A field and what is said about its column.
pub(crate) struct Column<'a> {
    pub(crate) field: &'a Ident,
    source: &'a Field,
    pub(crate) primary_key: Setting<Unique>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) skip: Flag,
    naming: Naming,
    sql_type: Setting<LitStr>,
    collate: Setting<LitStr>,
    identity: Setting<Identity>,
    generated: Setting<LitStr>,
    default: Setting<LitStr>,
    fill: Setting<LitStr>,
    comment: Setting<LitStr>,
    unique: Flag,
}

const KEYWORDS: [&str; 15] = [
    "primary_key",
    "identity",
    "generated",
    "default",
    "unique",
    "index",
    "references",
    "check",
    "collate",
    "type",
    "name",
    "renamed_from",
    "fill",
    "comment",
    "skip",
];

impl<'a> Column<'a> {
    pub(crate) fn parse(source: &'a Field, field: &'a Ident) -> Result<Self> {
        let mut it = Self {
            field,
            source,
            primary_key: Setting::default(),
            constraints: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            skip: Flag::default(),
            naming: Naming::default(),
            sql_type: Setting::default(),
            collate: Setting::default(),
            identity: Setting::default(),
            generated: Setting::default(),
            default: Setting::default(),
            fill: Setting::default(),
            comment: Setting::default(),
            unique: Flag::default(),
        };
        attribute::parse_attributes(&source.attrs, "col", |input| it.item(input))?;
        it.has_one_value()?;
        Ok(it)
    }

    fn item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword.to_string().as_str() {
            "primary_key" | "unique" | "index" | "references" | "check" => {
                self.object(&keyword, input)
            }
            "identity" => self.identity.set(&keyword, Identity::parse(&keyword, input)?),
            "generated" => self.generated.set(&keyword, attribute::text(&keyword, input)?),
            "default" => self.default.set(&keyword, attribute::text(&keyword, input)?),
            "collate" => self.collate.set(&keyword, attribute::name(&keyword, input)?),
            "type" => self.sql_type.set(&keyword, attribute::text(&keyword, input)?),
            "fill" => self.fill.set(&keyword, attribute::single_line(&keyword, input)?),
            "comment" => self.comment.set(&keyword, attribute::text(&keyword, input)?),
            "skip" => self.skip.set(&keyword, ()),
            it if Naming::KEYWORDS.contains(&it) => self.naming.parse(&keyword, input),
            _ => Err(attribute::unknown_keyword("attribute of a column", &keyword, &KEYWORDS)),
        }
    }

    /// What is an object of its own in PostgreSQL.
    fn object(&mut self, keyword: &Ident, input: ParseStream<'_>) -> Result<()> {
        let field = self.field;
        match keyword.to_string().as_str() {
            "primary_key" => {
                return self.primary_key.set(keyword, Unique::of_field(keyword, field, input)?);
            }
            "unique" => {
                self.unique.set(keyword, ())?;
                self.constraints.push(Constraint::Unique(Unique::of_field(keyword, field, input)?));
            }
            "index" => self.indexes.push(Index::of_field(field, input)?),
            "check" => self.constraints.push(Constraint::Check(Check::parse(keyword, input)?)),
            _ => self.foreign_keys.push(ForeignKey::of_field(keyword, field, input)?),
        }
        Ok(())
    }

    fn has_one_value(&self) -> Result<()> {
        let keywords = [self.identity.keyword(), self.generated.keyword(), self.default.keyword()];
        let mut keywords = keywords.into_iter().flatten();
        match (keywords.next(), keywords.next()) {
            (Some(one), Some(other)) => {
                let message = format!("a column has `{one}` or `{other}`, not both");
                Err(Error::new(other.span(), message))
            }
            _ => Ok(()),
        }
    }

    /// The name of the column, by default that of its field.
    pub(crate) fn name(&self, rule: Option<Case>) -> Result<String> {
        if let Some(name) = self.naming.name() {
            return Ok(name.value());
        }
        let field = self.field.unraw().to_string();
        let name = rule.map_or(field.clone(), |it| it.apply(&field));
        attribute::check_length(&name, self.field.span())?;
        Ok(name)
    }

    /// The column as other tables see it. Its type stands here and nowhere else, so that one which
    /// SQL does not know is one error.
    pub(crate) fn target(&self, name: &str) -> TokenStream {
        let sql_type = self.sql_type();
        quote! { __upfront::ColumnRef { table: Self::NAME, name: #name, r#type: #sql_type } }
    }

    /// What the compiler is to check about a column of the primary key.
    pub(crate) fn key_check(&self, owner: &Ident) -> TokenStream {
        let (field, span) = (self.field, self.source.ty.span());
        quote_spanned! { span =>
            const _: () = __upfront::check::key(<#owner as __upfront::TableTrait>::COLUMNS.#field);
        }
    }

    /// What the compiler is to check about an identity.
    pub(crate) fn identity_check(&self, owner: &Ident) -> Option<TokenStream> {
        let (field, span) = (self.field, self.identity.get()?.span);
        Some(quote_spanned! { span =>
            const _: () =
                __upfront::check::identity(<#owner as __upfront::TableTrait>::COLUMNS.#field);
        })
    }

    fn sql_type(&self) -> TokenStream {
        let rust = &self.source.ty;
        let Some(text) = self.sql_type.get() else {
            return quote_spanned! { rust.span() => <#rust as __upfront::SqlType>::TYPE };
        };
        let nullable = is_option(rust).then(|| quote! { .nullable() });
        quote! { __upfront::Type::sql(#text) #nullable }
    }

    /// Where the values come from that nobody gives.
    fn value(&self) -> Option<String> {
        let default = self.default.value().map(|it| sql::default(&it));
        let generated = self.generated.value();
        let generated = generated.map(|it| format!("GENERATED ALWAYS AS ({it}) STORED"));
        default.or(generated).or_else(|| self.identity.get().map(Identity::sql))
    }

    pub(crate) fn definition(&self, name: &str, comments: &Flag) -> TokenStream {
        let field = self.field;
        let text = |it: &Setting<LitStr>| optional(it.value().as_deref());
        let (collation, fill) = (text(&self.collate), text(&self.fill));
        let value = optional(self.value().as_deref());
        let renamed_from = optional(self.naming.renamed_from().map(LitStr::value).as_deref());
        let comment = documentation::comment(&self.comment, comments, &self.source.attrs);
        let comment = optional(comment.as_deref());
        quote! {
            __upfront::Column {
                name: #name,
                r#type: Self::COLUMNS.#field.r#type,
                collation: #collation,
                value: #value,
                renamed_from: #renamed_from,
                fill: #fill,
                comment: #comment,
            }
        }
    }
}

/// Whether the type is spelt as an `Option`: with `type = "…"` it need not be known to SQL.
fn is_option(rust: &Type) -> bool {
    match rust {
        Type::Path(it) => it.path.segments.last().is_some_and(|it| it.ident == "Option"),
        Type::Group(it) => is_option(&it.elem),
        Type::Paren(it) => is_option(&it.elem),
        _ => false,
    }
}
