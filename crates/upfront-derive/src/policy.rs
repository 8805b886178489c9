//! `policy(…)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result, Token};

use crate::attribute::{self, Flag, Setting};
use crate::naming::{Naming, optional};

/// Which rows a role sees and writes.
#[derive(Default)]
pub(crate) struct Policy {
    naming: Naming,
    restrictive: Flag,
    command: Setting<&'static str>,
    to: Setting<LitStr>,
    using: Setting<LitStr>,
    check: Setting<LitStr>,
}

const KEYWORDS: [&str; 7] =
    ["name", "renamed_from", "restrictive", "for", "to", "using", "with_check"];

const COMMANDS: [(&str, &str); 5] = [
    ("all", "ALL"),
    ("select", "SELECT"),
    ("insert", "INSERT"),
    ("update", "UPDATE"),
    ("delete", "DELETE"),
];

impl Policy {
    pub(crate) fn parse(keyword: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        attribute::in_parentheses(input, |input| it.item(input))?;
        match it.naming.name() {
            Some(_) => Ok(it),
            None => Err(Error::new(keyword.span(), "a policy has a name: `policy(name = \"…\")`")),
        }
    }

    fn item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let keyword = attribute::keyword(input)?;
        match keyword.to_string().as_str() {
            "restrictive" => self.restrictive.set(&keyword, ()),
            "for" => self.command.set(&keyword, command(input)?),
            "to" => self.to.set(&keyword, attribute::text(&keyword, input)?),
            "using" => self.using.set(&keyword, attribute::text(&keyword, input)?),
            "with_check" => self.check.set(&keyword, attribute::text(&keyword, input)?),
            it if Naming::KEYWORDS.contains(&it) => self.naming.parse(&keyword, input),
            _ => Err(attribute::unknown_keyword("option of a policy", &keyword, &KEYWORDS)),
        }
    }

    pub(crate) fn definition(&self) -> TokenStream {
        let name = self.naming.name();
        let renamed_from = optional(self.naming.renamed_from().map(LitStr::value).as_deref());
        let clause = self.clause();
        quote! {
            __upfront::Policy { name: #name, renamed_from: #renamed_from, clause: #clause }
        }
    }

    fn clause(&self) -> String {
        let restrictive = self.restrictive.is_set().then(|| "\n  AS RESTRICTIVE".to_owned());
        let command = self.command.get().map(|it| format!("\n  FOR {it}"));
        let to = self.to.value().map(|it| format!("\n  TO {it}"));
        let using = self.using.value().map(|it| format!("\n  USING ({it})"));
        let check = self.check.value().map(|it| format!("\n  WITH CHECK ({it})"));
        [restrictive, command, to, using, check].into_iter().flatten().collect()
    }
}

fn command(input: ParseStream<'_>) -> Result<&'static str> {
    input.parse::<Token![=]>()?;
    let keyword = attribute::keyword(input)?;
    match COMMANDS.iter().find(|(it, _)| keyword == it) {
        Some((_, sql)) => Ok(sql),
        None => Err(attribute::unknown_keyword("command", &keyword, &COMMANDS.map(|(it, _)| it))),
    }
}
