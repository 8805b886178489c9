//! What a boot tells while it works.

use std::{fmt, net::IpAddr, time::Duration};

use crate::Direction;

/// Something that a boot does or waits for.
///
/// Give a function to [`Builder::on_event`](crate::Builder::on_event). It is called between the
/// boot's own messages and must not block. The same is told as [`tracing`] events.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Somebody else migrates; this process looks again until it is done.
    Waiting {
        /// Who holds the lock, as far as this role may see.
        holder: Option<Holder>,
        /// Since this process began to wait.
        waited: Duration,
    },
    /// A migration starts.
    Started {
        /// Its version.
        version: String,
        /// Its name.
        name: String,
        /// Whether it is applied or rolled back.
        direction: Direction,
        /// Its place among what this call brings, from one.
        ordinal: usize,
        /// How many migrations this call brings.
        of: usize,
    },
    /// A statement of a migration was executed.
    Statement {
        /// The migration's version.
        version: String,
        /// The statement's place in the file, from one.
        ordinal: usize,
        /// How many statements the file has.
        of: usize,
    },
    /// A migration was rolled back because of a lock or a deadlock, and is tried again.
    Retrying {
        /// The migration's version.
        version: String,
        /// How often it was tried so far.
        attempt: u32,
        /// Until the next try.
        pause: Duration,
        /// The server's SQLSTATE.
        code: String,
        /// The oldest open transactions: one of them may hold the lock.
        blockers: Vec<Holder>,
    },
    /// A migration, or its rollback, is committed.
    Finished {
        /// Its version.
        version: String,
        /// Its name.
        name: String,
        /// Whether it was applied or rolled back.
        direction: Direction,
        /// From its start to its commit.
        duration: Duration,
    },
    /// An applied migration that is not committed does not fit the directory any more, and is to
    /// be rolled back: see [`Migrator::dev`](crate::Migrator::dev).
    #[cfg(feature = "dev")]
    Outdated {
        /// Its version.
        version: String,
        /// Its name.
        name: String,
        /// What does not fit.
        why: String,
    },
    /// The connection was lost; the boot connects and looks again.
    Reconnecting {
        /// Until the next try.
        pause: Duration,
    },
}

impl Event {
    /// The same for whoever reads the log.
    pub(crate) fn trace(&self, app: &str) {
        match self {
            Self::Waiting { holder, waited } => {
                let holder = holder.as_ref().map(ToString::to_string);
                tracing::info!(app, holder, ?waited, "waiting for another process to migrate");
            }
            Self::Started { version, name, direction: Direction::Up, ordinal, of } => {
                tracing::info!(app, version, name, ordinal, of, "migration started");
            }
            Self::Started { version, name, direction: Direction::Down, ordinal, of } => {
                tracing::info!(app, version, name, ordinal, of, "rollback started");
            }
            Self::Statement { version, ordinal, of } => {
                tracing::debug!(app, version, ordinal, of, "statement executed");
            }
            Self::Retrying { version, attempt, pause, code, blockers } => {
                let blockers: Vec<_> = blockers.iter().map(ToString::to_string).collect();
                tracing::warn!(app, version, attempt, ?pause, code, ?blockers, "migration retried");
            }
            Self::Finished { version, name, direction: Direction::Up, duration } => {
                tracing::info!(app, version, name, ?duration, "migration applied");
            }
            Self::Finished { version, name, direction: Direction::Down, duration } => {
                tracing::info!(app, version, name, ?duration, "migration rolled back");
            }
            #[cfg(feature = "dev")]
            Self::Outdated { version, name, why } => {
                tracing::warn!(app, version, name, why, "rolling an uncommitted migration back");
            }
            Self::Reconnecting { pause } => {
                tracing::warn!(app, ?pause, "the connection was lost; connecting again");
            }
        }
    }
}

/// A session of the server that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Holder {
    /// Its process at the server, for `pg_terminate_backend`.
    pub pid: i32,
    /// What it calls itself; empty where it says nothing, or where this role may not see it.
    pub application: String,
    /// Where it comes from; `None` on a local socket, or where this role may not see it.
    pub address: Option<IpAddr>,
    /// Since its last statement, or its transaction, began; `None` where this role may not see it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::seconds::maybe::serialize"))]
    pub age: Option<Duration>,
}

impl Holder {
    pub(crate) fn ending(&self) -> String {
        format!("`SELECT pg_terminate_backend({})`", self.pid)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, application, address, age } = self;
        write!(f, "pid {pid}")?;
        if !application.is_empty() {
            write!(f, ", application `{application}`")?;
        }
        address.iter().try_for_each(|it| write!(f, ", from {it}"))?;
        age.iter().try_for_each(|it| write!(f, ", busy for {it:.1?}"))
    }
}
