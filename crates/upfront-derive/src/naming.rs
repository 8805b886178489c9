//! What many kinds of objects share: a name, and when they are checked.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result};

use crate::attribute::{self, Flag, Setting};

/// `name = "…"` and `renamed_from = "…"`.
#[derive(Default)]
pub(crate) struct Naming {
    name: Setting<LitStr>,
    renamed_from: Setting<LitStr>,
}

impl Naming {
    pub(crate) const KEYWORDS: [&str; 2] = ["name", "renamed_from"];

    /// What stands behind one of its [keywords](Self::KEYWORDS).
    pub(crate) fn parse(&mut self, keyword: &Ident, input: ParseStream<'_>) -> Result<()> {
        let setting = if keyword == "name" { &mut self.name } else { &mut self.renamed_from };
        setting.set(keyword, attribute::name(keyword, input)?)
    }

    /// The two fields of a definition.
    pub(crate) fn fields(&self) -> Result<TokenStream> {
        if let (Some(keyword), false) = (self.renamed_from.keyword(), self.name.is_set()) {
            let message = "`renamed_from` says what it was called, and `name` is missing";
            return Err(Error::new(keyword.span(), message));
        }
        let name = optional(self.name.value().as_deref());
        let renamed_from = optional(self.renamed_from.value().as_deref());
        Ok(quote! { name: #name, renamed_from: #renamed_from })
    }

    pub(crate) fn name(&self) -> Option<&LitStr> {
        self.name.get()
    }

    pub(crate) fn renamed_from(&self) -> Option<&LitStr> {
        self.renamed_from.get()
    }
}

/// An `Option` as Rust code.
pub(crate) fn optional(text: Option<&str>) -> TokenStream {
    let Some(text) = text else { return quote! { ::core::option::Option::None } };
    quote! { ::core::option::Option::Some(#text) }
}

/// `deferrable` and `initially_deferred`.
#[derive(Default)]
pub(crate) struct Deferral {
    deferrable: Flag,
    initially_deferred: Flag,
}

impl Deferral {
    pub(crate) const KEYWORDS: [&str; 2] = ["deferrable", "initially_deferred"];

    /// One of its [keywords](Self::KEYWORDS).
    pub(crate) fn parse(&mut self, keyword: &Ident) -> Result<()> {
        match keyword == "deferrable" {
            true => self.deferrable.set(keyword, ()),
            false => self.initially_deferred.set(keyword, ()),
        }
    }

    pub(crate) fn sql(&self) -> &'static str {
        match (self.initially_deferred.is_set(), self.deferrable.is_set()) {
            (true, _) => " DEFERRABLE INITIALLY DEFERRED",
            (false, true) => " DEFERRABLE",
            (false, false) => "",
        }
    }
}
