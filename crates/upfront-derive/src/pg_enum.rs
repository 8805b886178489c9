//! `#[derive(PgEnum)]`: parse, check, expand; on failure, emit the error and a fallback implementation.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Fields, Ident, LitStr, Path, Result, Variant,
};

use crate::attribute::{self, Flag, Setting};
use crate::case::Case;
use crate::documentation;
use crate::naming::{Naming, optional};
use crate::options;

/// The attributes of the enum.
#[derive(Default)]
struct Options {
    path: Setting<Path>,
    schema: Setting<LitStr>,
    naming: Naming,
    rename_all: Setting<Case>,
    comments: Flag,
    comment: Setting<LitStr>,
}

const KEYWORDS: [&str; 7] =
    ["schema", "name", "renamed_from", "rename_all", "comments", "comment", "crate"];

/// The implementations of `PgEnum` and `SqlType`, or the errors. `path` is the default path of
/// upfront-model.
pub(crate) fn expand(input: &DeriveInput, path: &Path) -> TokenStream {
    match implementation(input, path) {
        Ok(tokens) => tokens,
        Err(err) => {
            let (error, fallback_impl) = (err.to_compile_error(), fallback_impl(input, path));
            quote! { #error #fallback_impl }
        }
    }
}

fn implementation(input: &DeriveInput, path: &Path) -> Result<TokenStream> {
    let data = variants(input)?;
    let options = Options::parse(&input.attrs)?;
    let labels = labels(data, options.rename_all.get().copied())?;
    let path = options.path.get().unwrap_or(path);
    let (owner, name) = (&input.ident, options.name(&input.ident)?);
    let definition = options.definition(input, &labels);
    Ok(quote! {
        const _: () = {
            use #path::__private as __upfront;

            #[automatically_derived]
            impl __upfront::SqlType for #owner {
                const TYPE: __upfront::Type =
                    __upfront::Type::named(<Self as __upfront::EnumTrait>::NAME);
            }

            #[automatically_derived]
            impl __upfront::EnumTrait for #owner {
                const NAME: __upfront::Name = #name;
                const DEFINITION: __upfront::Enum = #definition;
            }

            __upfront::inventory::submit! { __upfront::Model::pg_enum::<#owner>() }
        };
    })
}

/// The variants of an enum that PostgreSQL can have.
fn variants(input: &DeriveInput) -> Result<&DataEnum> {
    let Data::Enum(data) = &input.data else {
        let message = "an enum of PostgreSQL is an enum; for a struct derive `Table`";
        return Err(Error::new_spanned(&input.ident, message));
    };
    if !input.generics.params.is_empty() {
        let message = "an enum of PostgreSQL has one set of values, so it has no generics";
        return Err(Error::new_spanned(&input.generics, message));
    }
    if data.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "an enum without variants has no values"));
    }
    attribute::collect_errors(&data.variants, |variant| match &variant.fields {
        Fields::Unit => Ok(()),
        fields => {
            let message =
                "a value of an enum of PostgreSQL holds nothing, so a variant has no fields";
            Err(Error::new_spanned(fields, message))
        }
    })?;
    Ok(data)
}

/// The values with their definitions, in the order of the variants.
fn labels(data: &DataEnum, rule: Option<Case>) -> Result<Vec<TokenStream>> {
    let mut seen: Vec<(String, &Ident)> = Vec::new();
    let mut tokens = Vec::new();
    attribute::collect_errors(&data.variants, |variant| {
        let naming = naming(variant)?;
        let text = label(variant, &naming, rule)?;
        if let Some((_, other)) = seen.iter().find(|(it, _)| *it == text) {
            let message = format!("the value of `{other}` is called `{text}` too");
            return Err(Error::new(variant.ident.span(), message));
        }
        let renamed_from = optional(naming.renamed_from().map(LitStr::value).as_deref());
        tokens.push(quote! { __upfront::Label { text: #text, renamed_from: #renamed_from } });
        seen.push((text, &variant.ident));
        Ok(())
    })?;
    Ok(tokens)
}

fn naming(variant: &Variant) -> Result<Naming> {
    let mut naming = Naming::default();
    attribute::parse_attributes(&variant.attrs, "pg_enum", |input| {
        let keyword = attribute::keyword(input)?;
        match Naming::KEYWORDS.iter().any(|it| keyword == it) {
            true => naming.parse(&keyword, input),
            false => Err(attribute::unknown_keyword(
                "attribute of a variant",
                &keyword,
                &Naming::KEYWORDS,
            )),
        }
    })?;
    Ok(naming)
}

/// The label of a variant, by default its identifier.
fn label(variant: &Variant, naming: &Naming, rule: Option<Case>) -> Result<String> {
    if let Some(name) = naming.name() {
        return Ok(name.value());
    }
    let name = variant.ident.unraw().to_string();
    let text = rule.map_or(name.clone(), |it| it.apply(&name));
    attribute::check_length(&text, variant.ident.span())?;
    Ok(text)
}

impl Options {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut it = Self::default();
        attribute::parse_attributes(attributes, "pg_enum", |input| it.item(input))?;
        Ok(it)
    }

    fn item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword.to_string().as_str() {
            "crate" => self.path.set(&keyword, options::path(input)?),
            "schema" => self.schema.set(&keyword, attribute::name(&keyword, input)?),
            "rename_all" => {
                self.rename_all.set(&keyword, Case::parse(&attribute::text(&keyword, input)?)?)
            }
            "comments" => self.comments.set(&keyword, ()),
            "comment" => self.comment.set(&keyword, attribute::text(&keyword, input)?),
            it if Naming::KEYWORDS.contains(&it) => self.naming.parse(&keyword, input),
            _ => Err(attribute::unknown_keyword("attribute of an enum", &keyword, &KEYWORDS)),
        }
    }

    /// The name of the type, by default that of the enum in snake case.
    fn name(&self, owner: &Ident) -> Result<TokenStream> {
        let schema = self.schema.get().map(|it| quote! { .in_schema(#it) });
        let name = match self.naming.name() {
            Some(it) => it.value(),
            None => Case::Snake.apply(&owner.unraw().to_string()),
        };
        attribute::check_length(&name, owner.span())?;
        Ok(quote! { __upfront::Name::new(#name) #schema })
    }

    fn definition(&self, input: &DeriveInput, labels: &[TokenStream]) -> TokenStream {
        let owner = input.ident.unraw().to_string();
        let renamed_from = optional(self.naming.renamed_from().map(LitStr::value).as_deref());
        let comment = documentation::comment(&self.comment, &self.comments, &input.attrs);
        let comment = optional(comment.as_deref());
        quote! {
            __upfront::Enum {
                model: ::core::concat!(::core::module_path!(), "::", #owner),
                name: Self::NAME,
                renamed_from: #renamed_from,
                labels: &[#(#labels),*],
                comment: #comment,
            }
        }
    }
}

/// An implementation that satisfies all uses of the type, so that one mistake is one error.
fn fallback_impl(input: &DeriveInput, path: &Path) -> TokenStream {
    let (owner, generics) = (&input.ident, &input.generics);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let options = Options::parse(&input.attrs).unwrap_or_default();
    let path = options.path.get().unwrap_or(path);
    quote! {
        const _: () = {
            use #path::__private as __upfront;

            #[automatically_derived]
            impl #impl_generics __upfront::SqlType for #owner #type_generics #where_clause {
                const TYPE: __upfront::Type = __upfront::Type::unknown();
            }

            #[automatically_derived]
            impl #impl_generics __upfront::EnumTrait for #owner #type_generics #where_clause {
                const NAME: __upfront::Name = __upfront::Name::new("");
                const DEFINITION: __upfront::Enum = __upfront::Enum::FALLBACK;
            }
        };
    }
}
