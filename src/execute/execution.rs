//! One migration on its way, in one direction.

use std::sync::OnceLock;

use tracing::Span;

use crate::{
    Direction, Event,
    connection::{
        connector::{Hearing, severity},
        session::Session,
    },
    embedded::{Migration, Side},
    error::secrets,
    execute::context::Context,
    plan::{pending::Step, rollback::RollbackStep},
};

/// One side of a migration that runs, as events and errors name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Execution {
    pub(crate) it: &'static Migration,
    /// What runs; nothing where a row is all that changes.
    pub(crate) side: Option<&'static Side>,
    pub(crate) direction: Direction,
    pub(crate) losing: DataLossPolicy,
}

/// Did anybody agree to lose what the side loses?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataLossPolicy {
    Accepted,
    Refused,
}

impl Execution {
    /// The file of the side, else of the migration.
    pub(crate) fn path(&self) -> &'static str {
        self.side.map_or(self.it.up.path, |it| it.path)
    }

    /// How many statements the side has.
    pub(crate) fn count(&self) -> usize {
        self.side.map_or(0, Side::count)
    }
}

impl From<&Step> for Execution {
    fn from(step: &Step) -> Self {
        let side = step.runs.map(|it| &it.up);
        let losing = DataLossPolicy::Accepted;
        Self { it: step.migration(), side, direction: Direction::Up, losing }
    }
}

impl From<&RollbackStep> for Execution {
    fn from(undo: &RollbackStep) -> Self {
        let losing = DataLossPolicy::Refused;
        Self { it: undo.it, side: undo.side, direction: Direction::Down, losing }
    }
}

/// Passes on what the server raises while a migration runs, under the migration's name.
pub(crate) fn hear(
    context: &Context<'_>,
    session: &Session,
    subject: Execution,
) -> Option<Hearing> {
    if context.is_metadata {
        return None;
    }
    let (version, span) = (subject.it.version, Span::current());
    let (set, side) = (context.set, subject.side?);
    // Few migrations raise anything.
    let secrets = OnceLock::new();
    let emitter = context.settings.on_event.clone();
    session.hear(move |notice| {
        let secrets = secrets.get_or_init(|| secrets::known(set, side, None));
        let (severity, message) = (severity(notice).into(), secrets.redact(notice.message()));
        let event = Event::Notice { version: version.into(), severity, message };
        span.in_scope(|| event.trace(false));
        if let Some(emit) = &emitter {
            emit(&event);
        }
    })
}
