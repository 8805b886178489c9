//! The derives of [upfront-model](https://docs.rs/upfront-model), which reexports them.
//!
//! **Internal to [upfront](https://docs.rs/upfront); no stability promise.** Use `upfront::model` or
//! `upfront_model` instead.

mod attribute;
mod case;
mod column;
mod columns;
mod constraint;
mod documentation;
mod element;
mod foreign_key;
mod identity;
mod index;
mod naming;
mod options;
mod pg_enum;
mod policy;
mod sql;
mod table;

use proc_macro::TokenStream;
use syn::{DeriveInput, Path, parse_macro_input, parse_quote};

#[doc = include_str!("table.md")]
#[proc_macro_derive(Table, attributes(table, col))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    table(input, &parse_quote!(::upfront::model))
}

#[doc = include_str!("table.md")]
#[proc_macro_derive(ModelTable, attributes(table, col))]
pub fn derive_model_table(input: TokenStream) -> TokenStream {
    table(input, &parse_quote!(::upfront_model))
}

#[doc = include_str!("pg_enum.md")]
#[proc_macro_derive(PgEnum, attributes(pg_enum))]
pub fn derive_pg_enum(input: TokenStream) -> TokenStream {
    pg_enum(input, &parse_quote!(::upfront::model))
}

#[doc = include_str!("pg_enum.md")]
#[proc_macro_derive(ModelPgEnum, attributes(pg_enum))]
pub fn derive_model_pg_enum(input: TokenStream) -> TokenStream {
    pg_enum(input, &parse_quote!(::upfront_model))
}

fn table(input: TokenStream, path: &Path) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    table::expand(&input, path).into()
}

fn pg_enum(input: TokenStream, path: &Path) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    pg_enum::expand(&input, path).into()
}
