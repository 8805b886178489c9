//! Doc comments, as comments for PostgreSQL.

use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

use crate::attribute::{Flag, Setting};

/// What the database says about an object: the text that was given, or, where that is asked for,
/// the doc comment.
pub(crate) fn comment(
    given: &Setting<LitStr>,
    asked: &Flag,
    attributes: &[Attribute],
) -> Option<String> {
    given.value().or_else(|| asked.get().and_then(|()| documentation(attributes)))
}

fn documentation(attributes: &[Attribute]) -> Option<String> {
    let lines: Vec<_> = attributes.iter().filter_map(line).collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(it) if it.path.is_ident("doc") => match &it.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                let text = text.value();
                Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}
