//! What the files of a migration do, by kind.

use serde::Serialize;
use upfront_schema::{Effect, EffectKind, Identity, UpDown};

use crate::output::differences::object_name;

/// Objects of one kind to which the same happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    action: Verb,
    kind: &'static str,
    objects: Vec<String>,
}

/// In the order in which they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Drop,
    /// Dropped and created again.
    Rebuild,
    Rename,
    Change,
    Create,
}

/// What the up scripts do, drops first.
pub(super) fn summary(sides: &[UpDown]) -> Vec<Line> {
    let statements = sides.iter().flat_map(|it| &it.up.statements);
    let effects: Vec<_> = statements.flat_map(|it| &it.effects).collect();
    let mut lines: Vec<Line> = Vec::new();
    for it in &effects {
        let Some(verb) = verb(it, &effects) else { continue };
        let object = object(it);
        match lines.iter_mut().find(|line| line.action == verb && line.kind == it.id.kind.name()) {
            Some(line) if line.objects.contains(&object) => {}
            Some(line) => line.objects.push(object),
            None => {
                lines.push(Line { action: verb, kind: it.id.kind.name(), objects: vec![object] });
            }
        }
    }
    lines.sort_by_key(|it| it.action);
    lines
}

/// What all effects on its object come to; nothing if another one says it.
fn verb(it: &Effect, all: &[&Effect]) -> Option<Verb> {
    let has =
        |action: &EffectKind| all.iter().any(|other| other.id == it.id && other.action == *action);
    let comes_with_rebuilt = |other: &&&Effect| {
        other.action == EffectKind::Drop && is_on(&it.id, &other.id) && it.id != other.id
    };
    Some(match it.action {
        EffectKind::Create if all.iter().any(|other| comes_with_rebuilt(&other)) => return None,
        EffectKind::Rename(_) => Verb::Rename,
        EffectKind::Drop if has(&EffectKind::Create) => Verb::Rebuild,
        EffectKind::Drop => Verb::Drop,
        EffectKind::Create | EffectKind::Change if has(&EffectKind::Drop) => return None,
        EffectKind::Create => Verb::Create,
        EffectKind::Change if has(&EffectKind::Create) => return None,
        EffectKind::Change => Verb::Change,
    })
}

/// Whether it is the comment or the privileges of an object.
fn is_on(it: &Identity, object: &Identity) -> bool {
    it.target().is_some_and(|target| target == *object)
}

fn object(it: &Effect) -> String {
    let name = object_name(&it.id);
    match &it.action {
        EffectKind::Rename(to) => format!("{name} to {to}"),
        _ => name,
    }
}

impl Line {
    pub(super) fn text(&self) -> String {
        let verb = match self.action {
            Verb::Drop => "drops",
            Verb::Rebuild => "rebuilds",
            Verb::Rename => "renames",
            Verb::Change => "changes",
            Verb::Create => "creates",
        };
        format!("{verb} {}: {}", self.kind, self.objects.join(", "))
    }
}
