//! Steps cut into parts where a transaction ends.

use crate::sql::{Placement, Sql};

/// Statements of one step that run together.
#[derive(Default)]
pub(super) struct StepPart {
    pub(super) step: usize,
    pub(super) sql: Vec<Sql>,
}

impl StepPart {
    /// How its first statement stands to the piece before.
    pub(super) fn place(&self) -> &Placement {
        self.sql.first().map_or(&Placement::SameTransaction, |it| &it.place)
    }

    pub(crate) fn is_follow_up(&self) -> bool {
        self.sql.first().is_some_and(|it| it.is_follow_up)
    }

    pub(crate) fn stands_alone(&self) -> bool {
        matches!(self.place(), Placement::OutsideTransaction(_))
    }

    /// Whether the next statement belongs to the same part.
    pub(crate) fn takes(&self, next: &Sql) -> bool {
        self.is_follow_up() == next.is_follow_up
            && match next.place {
                Placement::SameTransaction => *self.place() == Placement::SameTransaction,
                Placement::OutsideTransaction(_) => self.stands_alone(),
                Placement::Validation | Placement::Backfill => false,
            }
    }
}

pub(crate) fn cut(step: usize, sql: Vec<Sql>) -> Vec<StepPart> {
    let mut all: Vec<StepPart> = Vec::new();
    for it in sql {
        match all.last_mut().filter(|part| part.takes(&it)) {
            Some(part) => part.sql.push(it),
            None => all.push(StepPart { step, sql: vec![it] }),
        }
    }
    all
}
