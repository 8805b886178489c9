//! Objects by the names that an author gives.

use crate::{
    catalog::facts::{Fact, Facts},
    error::{Error, Kind, Result},
    kinds::object_kind::ObjectKind,
};

/// An answer that fits nothing.
pub(crate) fn not(given: impl Into<String>, why: impl Into<String>) -> Error {
    Kind::Answer { given: given.into(), why: why.into() }.into()
}

/// The one object of these kinds with this name, whose schema may be left out.
pub(crate) fn find<'a>(
    facts: &'a Facts,
    kinds: &[ObjectKind],
    name: &[String],
) -> Result<&'a Fact, String> {
    let is_meant = |it: &&Fact| kinds.contains(&it.id.kind) && is_named(&it.id.names, name);
    let all: Vec<_> = facts.iter().filter(is_meant).collect();
    let public = all.iter().filter(|it| it.id.names.first().is_some_and(|it| it == "public"));
    let public: Vec<_> = public.collect();
    match (all.as_slice(), public.as_slice()) {
        ([it], _) => Ok(it),
        ([], _) => Err("no object has this name".to_owned()),
        (_, [it]) => Ok(it),
        (all, _) => {
            let names: Vec<_> = all.iter().map(|it| it.id.to_string()).collect();
            Err(format!("the name is ambiguous: {}", names.join(" or ")))
        }
    }
}

/// Whether it is called so, with or without its schema.
pub(crate) fn is_named(names: &[String], given: &[String]) -> bool {
    names.ends_with(given) && names.len() - given.len() < 2
}

/// The parts of a name with dots, where `"` holds dots together.
pub(crate) fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut rest = text.trim().chars().peekable();
    while let Some(it) = rest.next() {
        let last = parts.last_mut()?;
        match it {
            '"' if quoted && rest.peek() == Some(&'"') => last.extend(rest.next()),
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            it => last.push(it),
        }
    }
    (!quoted && parts.iter().all(|it| !it.is_empty())).then_some(parts)
}
