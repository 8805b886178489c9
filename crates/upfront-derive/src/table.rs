//! `#[derive(Table)]`: parse, check, expand; on failure, emit the error and a fallback implementation.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, Path, Result};

use crate::attribute;
use crate::case::Case;
use crate::column::Column;
use crate::columns::Columns;
use crate::constraint::Unique;
use crate::documentation;
use crate::naming::optional;
use crate::options::Options;

/// A struct as a table.
struct Table<'a> {
    owner: &'a Ident,
    options: Options,
    columns: Vec<Column<'a>>,
    names: Columns,
    comment: Option<String>,
}

/// The implementation of `Table`, or the errors. `path` is the default path of upfront-model.
pub(crate) fn expand(input: &DeriveInput, path: &Path) -> TokenStream {
    let fields = match fields(input) {
        Ok(it) => it,
        Err(err) => return err.to_compile_error(),
    };
    let table = Table::parse(input, &fields);
    match table.and_then(|it| it.expand(path)) {
        Ok(tokens) => tokens,
        Err(err) => {
            let (error, fallback_impl) =
                (err.to_compile_error(), fallback_impl(input, &fields, path));
            quote! { #error #fallback_impl }
        }
    }
}

/// Fields with their names, of a struct that can be a table at all.
fn fields(input: &DeriveInput) -> Result<Vec<(&Field, &Ident)>> {
    if !input.generics.params.is_empty() {
        let message = "a table has one set of columns, so its struct has no generics";
        return Err(Error::new_spanned(&input.generics, message));
    }
    match &input.data {
        Data::Struct(data) if matches!(data.fields, Fields::Named(_)) => {
            Ok(data.fields.iter().filter_map(|it| Some((it, it.ident.as_ref()?))).collect())
        }
        Data::Struct(_) => {
            let message = "a table is a struct with named fields, which name its columns";
            Err(Error::new_spanned(&input.ident, message))
        }
        Data::Enum(_) => Err(Error::new_spanned(
            &input.ident,
            "a table is a struct; for an enum derive `PgEnum`",
        )),
        Data::Union(_) => Err(Error::new_spanned(&input.ident, "a table is a struct")),
    }
}

impl<'a> Table<'a> {
    fn parse(input: &'a DeriveInput, fields: &[(&'a Field, &'a Ident)]) -> Result<Self> {
        let mut columns = Vec::new();
        let parsed = attribute::collect_errors(fields, |(source, field)| {
            columns.push(Column::parse(source, field)?);
            Ok(())
        });
        let (options, ()) = both(Options::parse(&input.attrs), parsed)?;
        columns.retain(|it| !it.skip.is_set());
        let names = names(&columns, options.rename_all.get().copied())?;
        let comment = documentation::comment(&options.comment, &options.comments, &input.attrs);
        Ok(Self { owner: &input.ident, options, columns, names, comment })
    }

    fn expand(&self, path: &Path) -> Result<TokenStream> {
        let path = self.options.path.get().unwrap_or(path);
        let (owner, struct_name) = (self.owner, format_ident!("{}Columns", self.owner.unraw()));
        let key = self.key()?;
        let (fields, names): (Vec<_>, Vec<_>) = self.names.0.iter().cloned().unzip();
        let targets = self.columns.iter().zip(&names).map(|(it, name)| it.target(name));
        let checks = self.checks(key);
        let (name, definition) = (self.name()?, self.definition(&names, key)?);
        Ok(quote! {
            const _: () = {
                use #path::__private as __upfront;

                /// The columns, for other tables to reference.
                #[doc(hidden)]
                #[derive(::core::fmt::Debug)]
                #[allow(dead_code, missing_docs, unreachable_pub)]
                pub struct #struct_name {
                    #(pub #fields: __upfront::ColumnRef,)*
                }

                #[automatically_derived]
                impl __upfront::TableTrait for #owner {
                    const NAME: __upfront::Name = #name;
                    type Columns = #struct_name;
                    const COLUMNS: Self::Columns = #struct_name { #(#fields: #targets,)* };
                    const DEFINITION: __upfront::Table = #definition;
                }

                #(#checks)*
                __upfront::inventory::submit! { __upfront::Model::table::<#owner>() }
            };
        })
    }

    /// What only the compiler knows enough to check.
    fn checks(&self, key: Option<&Unique>) -> Vec<TokenStream> {
        let in_key =
            |field: &Ident| key.is_some_and(|it| it.columns.iter().any(|of| same(of, field)));
        let keys = self.columns.iter().filter(|it| in_key(it.field));
        let keys = keys.map(|it| it.key_check(self.owner));
        keys.chain(self.columns.iter().filter_map(|it| it.identity_check(self.owner))).collect()
    }

    /// The primary key, which is that of a field or of the struct.
    fn key(&self) -> Result<Option<&Unique>> {
        let of_fields = self.columns.iter().map(|it| &it.primary_key);
        let keys = of_fields.chain([&self.options.primary_key]).filter(|it| it.is_set());
        let keys: Vec<_> = keys.collect();
        let opted_out = self.options.no_primary_key.keyword();
        let message = match (keys.as_slice(), opted_out) {
            ([_, _, ..], _) => {
                "a table has one primary key: for several columns write \
                                `#[table(primary_key(a, b))]`"
            }
            ([_], Some(_)) => "this table was said to have none",
            _ => return Ok(keys.first().and_then(|it| it.get())),
        };
        let keyword = keys.last().and_then(|it| it.keyword());
        Err(Error::new(keyword.map_or(self.owner.span(), Ident::span), message))
    }

    /// The name of the table, by default that of the struct in snake case.
    fn name(&self) -> Result<TokenStream> {
        let schema = self.options.schema.get();
        let schema = schema.map(|it| quote! { .in_schema(#it) });
        let name = match self.options.naming.name() {
            Some(it) => it.value(),
            None => Case::Snake.apply(&self.owner.unraw().to_string()),
        };
        attribute::check_length(&name, self.owner.span())?;
        Ok(quote! { __upfront::Name::new(#name) #schema })
    }

    fn definition(&self, names: &[String], key: Option<&Unique>) -> Result<TokenStream> {
        let (owner, options) = (self.owner.unraw().to_string(), &self.options);
        let renamed_from = options.naming.renamed_from();
        let renamed_from = optional(renamed_from.map(syn::LitStr::value).as_deref());
        let comments = &options.comments;
        let columns =
            self.columns.iter().zip(names).map(|(it, name)| it.definition(name, comments));
        let (unlogged, suffix) = (options.unlogged.is_set(), options.suffix());
        let (comment, key_kind) = (optional(self.comment.as_deref()), self.key_kind(key));
        let (row_security, policies) = (options.row_security(), options.policies.iter());
        let policies = policies.map(crate::policy::Policy::definition);
        let (raw_before, raw) = (&options.raw_before, &options.raw);
        let objects = self.objects(key)?;
        Ok(quote! {
            __upfront::Table {
                model: ::core::concat!(::core::module_path!(), "::", #owner),
                name: Self::NAME,
                renamed_from: #renamed_from,
                unlogged: #unlogged,
                columns: &[#(#columns),*],
                #objects
                key: #key_kind,
                suffix: #suffix,
                row_security: #row_security,
                policies: &[#(#policies),*],
                comment: #comment,
                raw_before: &[#(#raw_before),*],
                raw: &[#(#raw),*],
            }
        })
    }

    /// Those of the fields come first, each in the order in which it was written.
    fn objects(&self, key: Option<&Unique>) -> Result<TokenStream> {
        let (names, options) = (&self.names, &self.options);
        let constraints = self.columns.iter().flat_map(|it| &it.constraints);
        let constraints = constraints.chain(&options.constraints).map(|it| it.definition(names));
        let key = key.map(|it| it.definition(names));
        let constraints = collect(key.into_iter().chain(constraints));
        let foreign_keys = self.columns.iter().flat_map(|it| &it.foreign_keys);
        let foreign_keys = foreign_keys.chain(&options.foreign_keys);
        let foreign_keys = collect(foreign_keys.map(|it| it.definition(names, self.owner)));
        let indexes = self.columns.iter().flat_map(|it| &it.indexes).chain(&options.indexes);
        let indexes = collect(indexes.map(|it| it.definition(names)));
        let (constraints, (foreign_keys, indexes)) =
            both(constraints, both(foreign_keys, indexes))?;
        Ok(quote! {
            constraints: &[#(#constraints),*],
            foreign_keys: &[#(#foreign_keys),*],
            indexes: &[#(#indexes),*],
        })
    }

    fn key_kind(&self, key: Option<&Unique>) -> TokenStream {
        match (key, self.options.no_primary_key.is_set()) {
            (Some(_), _) => quote! { __upfront::Key::Primary },
            (None, true) => quote! { __upfront::Key::OptedOut },
            (None, false) => quote! { __upfront::Key::Missing },
        }
    }
}

fn same(one: &Ident, other: &Ident) -> bool {
    one.unraw() == other.unraw()
}

/// All of them, or all of their errors.
fn collect(items: impl Iterator<Item = Result<TokenStream>>) -> Result<Vec<TokenStream>> {
    let mut tokens = Vec::new();
    attribute::collect_errors(items, |it| it.map(|it| tokens.push(it)))?;
    Ok(tokens)
}

/// Both of them, or the errors of both.
fn both<T, U>(one: Result<T>, other: Result<U>) -> Result<(T, U)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(attribute::combine(one, other)),
        (Err(err), _) | (_, Err(err)) => Err(err),
    }
}

fn names(columns: &[Column<'_>], rule: Option<Case>) -> Result<Columns> {
    let mut names: Vec<(Ident, String)> = Vec::new();
    attribute::collect_errors(columns, |column| {
        let name = column.name(rule)?;
        if let Some((field, _)) = names.iter().find(|(_, it)| *it == name) {
            let message = format!("the column of `{field}` is called `{name}` too");
            return Err(Error::new(column.field.span(), message));
        }
        names.push((column.field.clone(), name));
        Ok(())
    })?;
    Ok(Columns(names))
}

/// A table that fits whatever references it, so that one mistake is one error. Nobody sees it, as
/// the program does not compile.
fn fallback_impl(input: &DeriveInput, fields: &[(&Field, &Ident)], path: &Path) -> TokenStream {
    let (owner, struct_name) = (&input.ident, format_ident!("{}Columns", input.ident.unraw()));
    let options = Options::parse(&input.attrs).unwrap_or_default();
    let path = options.path.get().unwrap_or(path);
    let fields: Vec<_> = fields.iter().map(|(_, field)| field).collect();
    quote! {
        const _: () = {
            use #path::__private as __upfront;

            #[doc(hidden)]
            #[derive(::core::fmt::Debug)]
            #[allow(dead_code, missing_docs, unreachable_pub)]
            pub struct #struct_name {
                #(pub #fields: __upfront::ColumnRef,)*
            }

            #[automatically_derived]
            impl __upfront::TableTrait for #owner {
                const NAME: __upfront::Name = __upfront::Name::new("");
                type Columns = #struct_name;
                const COLUMNS: Self::Columns =
                    #struct_name { #(#fields: __upfront::ColumnRef::FALLBACK,)* };
                const DEFINITION: __upfront::Table = __upfront::Table::FALLBACK;
            }
        };
    }
}
