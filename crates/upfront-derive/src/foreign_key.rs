//! `references(…)` and `foreign_key(…)`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Error, Ident, Path, Result, Token, token};

use crate::attribute::{self, Flag, Setting};
use crate::columns::Columns;
use crate::naming::{Deferral, Naming};
use crate::sql::quoted;

/// Columns that have their values from another table's.
#[derive(Default)]
pub(crate) struct ForeignKey {
    columns: Vec<Ident>,
    targets: Vec<Target>,
    full: Flag,
    on_delete: Setting<Action>,
    on_update: Setting<Action>,
    naming: Naming,
    deferral: Deferral,
}

/// `Org.id`: a column of another struct, by its field.
struct Target {
    table: Path,
    column: Ident,
}

/// What happens to the rows that reference one which goes or changes.
struct Action {
    sql: &'static str,
    columns: Vec<Ident>,
}

const KEYWORDS: [&str; 7] = [
    "on_delete",
    "on_update",
    "match_full",
    "deferrable",
    "initially_deferred",
    "name",
    "renamed_from",
];

const ACTIONS: [(&str, &str); 5] = [
    ("cascade", "CASCADE"),
    ("restrict", "RESTRICT"),
    ("set_null", "SET NULL"),
    ("set_default", "SET DEFAULT"),
    ("no_action", "NO ACTION"),
];

impl ForeignKey {
    /// `references(Org.id, on_delete = cascade)` of a field.
    pub(crate) fn of_field(keyword: &Ident, field: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self { columns: vec![field.clone()], ..Self::default() };
        attribute::in_optional_parentheses(input, |input| match it.option(input)? {
            true => Ok(()),
            false => it.target(input),
        })?;
        match it.targets.as_slice() {
            [_] => Ok(it),
            [] => Err(Error::new(keyword.span(), "which column? `references(Org.id)`")),
            [_, second, ..] => {
                Err(Error::new(second.column.span(), "a field references one column"))
            }
        }
    }

    /// `foreign_key(a, b, references(Org.a, Org.b), on_delete = cascade)` of a table.
    pub(crate) fn of_table(keyword: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        attribute::in_parentheses(input, |input| match it.option(input)? {
            true => Ok(()),
            false => it.columns(input),
        })?;
        it.fits(keyword)?;
        Ok(it)
    }

    fn columns(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        if keyword == "references" && input.peek(token::Paren) {
            return attribute::in_parentheses(input, |input| self.target(input));
        }
        self.columns.push(keyword);
        Ok(())
    }

    fn fits(&self, keyword: &Ident) -> Result<()> {
        let (columns, targets) = (self.columns.len(), self.targets.len());
        if columns == 0 || targets == 0 {
            let message = "write it as `foreign_key(a, b, references(Org.a, Org.b))`";
            return Err(Error::new(keyword.span(), message));
        }
        if columns != targets {
            let message = format!("columns: {columns}, and columns that they reference: {targets}");
            return Err(Error::new(keyword.span(), message));
        }
        let text = |it: &Target| it.table.to_token_stream().to_string();
        let first = text(&self.targets[0]);
        match self.targets.iter().find(|it| text(it) != first) {
            Some(it) => Err(Error::new(it.table.span(), "a foreign key references one table")),
            None => Ok(()),
        }
    }

    fn target(&mut self, input: ParseStream<'_>) -> Result<()> {
        let table = input.call(Path::parse_mod_style)?;
        if !input.peek(Token![.]) {
            let message = "name the column behind a dot: `Org.id`";
            return Err(Error::new(table.span(), message));
        }
        input.parse::<Token![.]>()?;
        self.targets.push(Target { table, column: identifier(&attribute::keyword(input)?) });
        Ok(())
    }

    /// Whether the next word is an option; then it is read.
    fn option(&mut self, input: ParseStream<'_>) -> Result<bool> {
        let ahead = input.fork();
        let next = attribute::keyword(&ahead)?;
        let name = next.to_string();
        if !ahead.peek(Token![=]) && !KEYWORDS[2..5].contains(&name.as_str()) {
            return Ok(false);
        }
        let keyword = attribute::keyword(input)?;
        match name.as_str() {
            "on_delete" => self.on_delete.set(&keyword, Action::parse(input)?)?,
            "on_update" => self.on_update.set(&keyword, Action::parse(input)?)?,
            "match_full" => self.full.set(&keyword, ())?,
            it if Deferral::KEYWORDS.contains(&it) => self.deferral.parse(&keyword)?,
            it if Naming::KEYWORDS.contains(&it) => self.naming.parse(&keyword, input)?,
            _ => {
                return Err(attribute::unknown_keyword(
                    "option of a foreign key",
                    &keyword,
                    &KEYWORDS,
                ));
            }
        }
        Ok(true)
    }

    /// Contains each referenced column once, so that one mistake is one error.
    pub(crate) fn definition(&self, columns: &Columns, owner: &Ident) -> Result<TokenStream> {
        let naming = self.naming.fields()?;
        let names =
            self.columns.iter().map(|it| columns.name(it, &[])).collect::<Result<Vec<_>>>()?;
        let targets = self.targets.iter().map(|it| it.tokens(owner));
        let (checks, suffix) = (self.checks(columns, owner)?, self.suffix(columns)?);
        Ok(quote! {
            __upfront::ForeignKey {
                #naming,
                columns: &[#(#names),*],
                targets: {
                    const TARGETS: &[__upfront::ColumnRef] = &[#(#targets),*];
                    #(#checks)*
                    TARGETS
                },
                suffix: #suffix,
            }
        })
    }

    /// What the compiler is to check: that both columns have one type.
    fn checks(&self, columns: &Columns, owner: &Ident) -> Result<Vec<TokenStream>> {
        let pairs = self.columns.iter().zip(&self.targets).enumerate();
        let checks = pairs.map(|(position, (field, target))| {
            let (field, span) = (columns.field(field)?, target.column.span());
            let from = quote! { <#owner as __upfront::TableTrait>::COLUMNS.#field };
            Ok(quote_spanned! { span =>
                const _: () = __upfront::check::reference(#from, TARGETS[#position]);
            })
        });
        checks.collect()
    }

    fn suffix(&self, columns: &Columns) -> Result<String> {
        let full = if self.full.is_set() { " MATCH FULL" } else { "" };
        let delete = action(&self.on_delete, "\n  ON DELETE", columns)?;
        let update = action(&self.on_update, "\n  ON UPDATE", columns)?;
        Ok(format!("{full}{delete}{update}{}", self.deferral.sql()))
    }
}

/// A field's name, which may be a word of Rust that only a raw identifier spells.
fn identifier(keyword: &Ident) -> Ident {
    match syn::parse2::<Ident>(quote! { #keyword }) {
        Ok(it) => it,
        Err(_) => Ident::new_raw(&keyword.unraw().to_string(), keyword.span()),
    }
}

impl Target {
    /// `Self` has no meaning where the check stands.
    fn table(&self, owner: &Ident) -> TokenStream {
        let table = &self.table;
        if table.is_ident("Self") {
            return quote_spanned! { table.span() => #owner };
        }
        quote! { #table }
    }

    fn tokens(&self, owner: &Ident) -> TokenStream {
        let (table, column) = (self.table(owner), &self.column);
        quote_spanned! { column.span() => <#table as __upfront::TableTrait>::COLUMNS.#column }
    }
}

impl Action {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.parse::<Token![=]>()?;
        let keyword = attribute::keyword(input)?;
        let Some((_, sql)) = ACTIONS.iter().find(|(it, _)| keyword == it) else {
            return Err(attribute::unknown_keyword("action", &keyword, &ACTIONS.map(|(it, _)| it)));
        };
        let columns = match sql.starts_with("SET") && input.peek(token::Paren) {
            true => attribute::keyword_list(input)?,
            false => Vec::new(),
        };
        Ok(Self { sql, columns })
    }
}

fn action(setting: &Setting<Action>, when: &str, columns: &Columns) -> Result<String> {
    let Some(Action { sql, columns: fields }) = setting.get() else { return Ok(String::new()) };
    let names = fields.iter().map(|it| columns.name(it, &[]).map(quoted));
    let names = names.collect::<Result<Vec<_>>>()?.join(", ");
    let list = if names.is_empty() { String::new() } else { format!(" ({names})") };
    Ok(format!("{when} {sql}{list}"))
}
