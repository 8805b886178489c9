//! The secrets of migrations, kept out of what is shown of an error.

use upfront_redact::KnownSecrets;

use crate::embedded::{Set, Side, Statement};

/// Those of the statement that failed, else of its side, and those of all other migrations.
pub(crate) fn known(set: &Set, side: &Side, statement: Option<&Statement>) -> KnownSecrets {
    let mut known = match statement {
        Some(it) => KnownSecrets::of(side.text(it)),
        None => KnownSecrets::of(side.body()),
    };
    let sides = set.migrations.iter().flat_map(|it| [Some(&it.up), it.down.as_ref()]);
    for it in sides.flatten().chain([side]).filter(|it| it.any().secret) {
        it.statements()
            .iter()
            .filter(|statement| statement.secret)
            .for_each(|statement| known.add(it.text(statement)));
    }
    known
}
