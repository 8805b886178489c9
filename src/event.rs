//! What is reported while migrations run.

use std::{fmt, net::IpAddr, time::Duration};

use crate::Direction;

/// A step of a call that migrates, or something that it waits for.
///
/// [`Builder::on_event`](crate::Builder::on_event) sets a callback, which must not block: it is
/// called between the messages to the server. [`tracing`] logs the same: one line at INFO for each
/// finished migration, and one for its start if it takes longer than a second.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "event", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Event {
    /// The program has no migrations at all: a wrong directory, perhaps.
    NoMigrations,
    /// Another process migrates; this one polls until it is done.
    Waiting {
        /// Who holds the lock, as far as this role may see.
        holder: Option<LockHolder>,
        /// Since this process began to wait.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
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
        /// Its place among the migrations of this call, from one.
        ordinal: usize,
        /// How many migrations this call applies or rolls back.
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
        /// Since the first of these tries failed.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
        waited: Duration,
        /// Until the next try.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
        pause: Duration,
        /// The server's SQLSTATE.
        code: String,
        /// The oldest open transactions: one of them may hold the lock.
        blockers: Vec<LockHolder>,
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
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
        duration: Duration,
    },
    /// An applied migration that is not committed to git no longer matches the directory, and is
    /// rolled back next; see [`Migrator::dev`](crate::Migrator::dev).
    #[cfg(feature = "dev")]
    Outdated {
        /// Its version.
        version: String,
        /// Its name.
        name: String,
        /// What does not match.
        why: String,
    },
    /// The server sent a notice while a migration ran, such as that of a `RAISE NOTICE`.
    /// Only with a pool whose connections a [`Connector`](crate::Connector) makes.
    Notice {
        /// The migration's version.
        version: String,
        /// `NOTICE`, `WARNING`, `INFO`, `LOG` or `DEBUG`.
        severity: String,
        /// The server's text, without the secrets of the migration.
        message: String,
    },
    /// The connection was lost; the call reconnects and starts over.
    Reconnecting {
        /// Until the next try.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
        pause: Duration,
    },
}

impl Event {
    /// Logs the event.
    ///
    /// The spans around it name app and migration, so the event does not repeat them. Migrations of
    /// upfront's own tables concern nobody but upfront: they are logged at DEBUG.
    pub(crate) fn trace(&self, is_metadata: bool) {
        match self {
            Self::NoMigrations => tracing::warn!("this program has no migrations"),
            Self::Waiting { holder, waited } => trace_waiting(holder.as_ref(), *waited),
            Self::Started { direction: Direction::Up, ordinal, of, .. } => {
                tracing::debug!(ordinal, of, "migration started");
            }
            Self::Started { direction: Direction::Down, ordinal, of, .. } => {
                tracing::debug!(ordinal, of, "rollback started");
            }
            Self::Statement { ordinal, of, .. } => {
                tracing::debug!(ordinal, of, "statement executed");
            }
            Self::Retrying { attempt, waited, pause, code, blockers, .. } => {
                trace_retrying(*attempt, *waited, *pause, code, blockers.first());
            }
            Self::Finished { duration, .. } if is_metadata => {
                tracing::debug!(duration_ms = milliseconds(*duration), "upfront's tables migrated");
            }
            Self::Finished { direction: Direction::Up, duration, .. } => {
                tracing::info!(duration_ms = milliseconds(*duration), "migration applied");
            }
            Self::Finished { direction: Direction::Down, duration, .. } => {
                tracing::info!(duration_ms = milliseconds(*duration), "migration rolled back");
            }
            #[cfg(feature = "dev")]
            Self::Outdated { version, name, why } => {
                let migration = name;
                tracing::warn!(version, migration, why, "rolling an uncommitted migration back");
            }
            Self::Notice { severity, message, .. } => match severity.as_str() {
                "WARNING" => tracing::warn!("{severity}: {message}"),
                "DEBUG" => tracing::debug!("{severity}: {message}"),
                _ => tracing::info!("{severity}: {message}"),
            },
            Self::Reconnecting { pause } => {
                let pause_ms = milliseconds(*pause);
                tracing::warn!(pause_ms, "the connection was lost; connecting again");
            }
        }
    }
}

fn trace_waiting(holder: Option<&LockHolder>, waited: Duration) {
    tracing::info!(
        waited_ms = milliseconds(waited),
        holder_pid = holder.map(|it| it.pid),
        holder_application = holder.and_then(LockHolder::named),
        holder_address = holder.and_then(LockHolder::shown_address),
        holder_busy_ms = holder.and_then(|it| it.age).map(milliseconds),
        "waiting for another process to migrate"
    );
}

fn trace_retrying(
    attempt: u32,
    waited: Duration,
    pause: Duration,
    code: &str,
    blocker: Option<&LockHolder>,
) {
    tracing::warn!(
        attempt,
        waited_ms = milliseconds(waited),
        pause_ms = milliseconds(pause),
        sqlstate = code,
        blocker_pid = blocker.map(|it| it.pid),
        blocker_application = blocker.and_then(LockHolder::named),
        blocker_address = blocker.and_then(LockHolder::shown_address),
        blocker_busy_ms = blocker.and_then(|it| it.age).map(milliseconds),
        "waiting for a lock on a table; the migration was rolled back and is tried again"
    );
}

/// A duration as logs have it: a number, whose key ends in `_ms`.
pub(crate) fn milliseconds(it: Duration) -> u64 {
    u64::try_from(it.as_millis()).unwrap_or(u64::MAX)
}

/// A session of the server that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LockHolder {
    /// Its process at the server, for `pg_terminate_backend`.
    pub pid: i32,
    /// Its application name; empty if it has none, or if this role may not see it.
    pub application: String,
    /// Its address; `None` on a local socket, or if this role may not see it.
    pub address: Option<IpAddr>,
    /// The time since its statement or transaction began; `None` if this role may not see it.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::serde_duration::maybe::serialize")
    )]
    pub age: Option<Duration>,
}

impl LockHolder {
    pub(crate) fn ending(&self) -> String {
        format!("`SELECT pg_terminate_backend({})`", self.pid)
    }

    fn named(&self) -> Option<&str> {
        Some(self.application.as_str()).filter(|it| !it.is_empty())
    }

    fn shown_address(&self) -> Option<String> {
        self.address.map(|it| it.to_string())
    }
}

impl fmt::Display for LockHolder {
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
