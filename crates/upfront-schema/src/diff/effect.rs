//! What the statements of a plan do, object by object.

use crate::{
    catalog::identity::Identity,
    diff::steps::{PlannedStep, Verb},
    kinds::object_kind::ObjectKind,
    sql::Sql,
};

/// What a statement does to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What it does.
    pub action: EffectKind,
    /// To what; by its name before.
    pub id: Identity,
}

/// The verb of an [`Effect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectKind {
    /// It is gone, at least until it is created again.
    Drop,
    /// It is called this now, or is in this schema.
    Rename(String),
    /// It is there before and after.
    Change,
    /// It is new.
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
