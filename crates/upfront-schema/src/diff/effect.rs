//! The effects of statements, object by object.

use crate::{
    catalog::identity::Identity,
    diff::steps::{PlannedStep, Verb},
    kinds::object_kind::ObjectKind,
    sql::Sql,
};

/// The effect of a statement on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What the statement does.
    pub action: EffectKind,
    /// The object, by its old name.
    pub id: Identity,
}

/// The verb of an [`Effect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectKind {
    /// The object is dropped, at least until it is created again.
    Drop,
    /// The object gets this name, or moves to this schema.
    Rename(String),
    /// The object is altered.
    Change,
    /// The object is created.
    Create,
}

impl Effect {
    pub(crate) fn of(work: &PlannedStep<'_>, sql: &Sql) -> Self {
        let id = work.fact.id.clone();
        let is_unprotected =
            ["DISABLE ROW", "NO FORCE ROW"].iter().any(|it| sql.text.starts_with(it));
        match work.verb {
            Verb::Alter if is_unprotected => Self {
                action: EffectKind::Drop,
                id: Identity { kind: ObjectKind::RowSecurity, ..id },
            },
            Verb::Drop => Self { action: EffectKind::Drop, id },
            Verb::Alter => Self { action: EffectKind::Change, id },
            Verb::Create => Self { action: EffectKind::Create, id },
        }
    }
}
