//! `policy(…)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result, Token};

use crate::naming::{Naming, optional};
use crate::word::{self, Flag, Setting};

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

const WORDS: [&str; 7] =
    ["name", "renamed_from", "restrictive", "for", "to", "using", "with_check"];

const COMMANDS: [(&str, &str); 5] = [
    ("all", "ALL"),
    ("select", "SELECT"),
    ("insert", "INSERT"),
    ("update", "UPDATE"),
    ("delete", "DELETE"),
];

impl Policy {
    pub(crate) fn parse(word: &Ident, input: ParseStream<'_>) -> Result<Self> {
        let mut it = Self::default();
        word::nested(input, |input| it.item(input))?;
        match it.naming.name() {
            Some(_) => Ok(it),
            None => Err(Error::new(word.span(), "a policy has a name: `policy(name = \"…\")`")),
        }
    }

    fn item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let word = word::word(input)?;
        match word.to_string().as_str() {
            "restrictive" => self.restrictive.set(&word, ()),
            "for" => self.command.set(&word, command(input)?),
            "to" => self.to.set(&word, word::text(&word, input)?),
            "using" => self.using.set(&word, word::text(&word, input)?),
            "with_check" => self.check.set(&word, word::text(&word, input)?),
            it if Naming::WORDS.contains(&it) => self.naming.parse(&word, input),
            _ => Err(word::unknown("option of a policy", &word, &WORDS)),
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
    let word = word::word(input)?;
    match COMMANDS.iter().find(|(it, _)| word == it) {
        Some((_, sql)) => Ok(sql),
        None => Err(word::unknown("command", &word, &COMMANDS.map(|(it, _)| it))),
    }
}
