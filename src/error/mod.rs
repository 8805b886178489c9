//! Everything that can stop a boot, and what to do about it.

#[cfg(feature = "cli")]
pub(crate) mod adopt_error;
pub(crate) mod display;
pub(crate) mod excerpt;
pub(crate) mod locate;
pub(crate) mod rejection;
pub(crate) mod secrets;

use std::{borrow::Cow, error, fmt, time::Duration};

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};
use upfront_redact::Known;

use crate::{
    Direction, ForeignHistory,
    embedded::Statement,
    error::{excerpt::Excerpt, rejection::Rejection},
    event::Holder,
    history::trust::{Distrust, Meddling},
    plan::{command::CommandOptions, journal::PartlyApplied, pending::Divergence},
};

/// What every fallible call of this crate gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the database was not settled.
///
/// The text says what was being done, what stopped it and what to do next, with file, version and
/// line where there are some. It is complete, so there is no [`source`](error::Error::source): the
/// driver's own errors hide the cause at the end of a chain. It never holds a password or a
/// connection string.
pub struct Error(Box<Kind>, pub(crate) Note);

/// What is to be said beside what the kind of an error says.
#[derive(Debug, Default)]
pub(crate) struct Note(#[cfg(feature = "dev")] pub(crate) Option<String>);

#[derive(Debug)]
pub(crate) enum Kind {
    Setting {
        name: &'static str,
        problem: Cow<'static, str>,
    },
    #[cfg(any(feature = "rust-embed", feature = "dev"))]
    Misread(Misread),
    Connect(PoolError),
    Exhausted {
        waited: Duration,
    },
    Unreachable {
        waited: Duration,
    },
    Silent {
        waited: Duration,
        silence: Silence,
    },
    Server {
        doing: &'static str,
        source: tokio_postgres::Error,
    },
    ConnectionLost {
        migration: String,
        direction: Direction,
        source: tokio_postgres::Error,
    },
    Unexpected {
        doing: &'static str,
    },
    OldServer {
        version: String,
    },
    Wait {
        app: String,
        waited: Duration,
        holder: Option<Holder>,
    },
    NotYet {
        waited: Duration,
        pending: Vec<String>,
        holder: Option<Holder>,
    },
    Pending {
        migrations: Vec<String>,
        /// Another process is at it.
        running: bool,
    },
    /// Applied in part, and not in this program; with the command that records that it was undone.
    PartlyAhead {
        found: Vec<(PartlyApplied, String)>,
    },
    Diverged {
        label: &'static str,
        found: Vec<Divergence>,
        is_metadata: bool,
        options: CommandOptions,
    },
    Foreign {
        tables: Vec<ForeignHistory>,
    },
    ReadOnly {
        /// Nothing where upfront's own tables are all that is to change.
        direction: Option<Direction>,
        migrations: Vec<String>,
        standby: bool,
    },
    /// Upfront's own tables, or their schema, may be a stranger's.
    Untrusted {
        /// Quoted.
        schema: String,
        found: Vec<Distrust>,
    },
    /// A migration changed upfront's own tables so that they cannot be written safely.
    Meddled {
        migration: String,
        direction: Direction,
        path: &'static str,
        how: Meddling,
    },
    Denied {
        doing: &'static str,
        message: String,
        grants: Vec<String>,
    },
    Pooler {
        migration: String,
        path: &'static str,
    },
    Failed(Failure),
    Escaped {
        migration: String,
        direction: Direction,
        path: &'static str,
    },
    Partial(Partial),
    LockLost(LockLost),
    Rejection(Rejection),
    #[cfg(feature = "cli")]
    Adopt(crate::error::adopt_error::AdoptError),
}

/// Why a question of our own got no answer, as far as another connection could find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody asked, or the answer says neither.
    Unknown,
    /// The server does not answer on another connection, either.
    Server,
    /// The server answers, and the process of the connection waits for nothing, or is gone.
    Link,
    /// The process waits for a lock, which these hold.
    Locked(Vec<Holder>),
}

/// Why migrations that are parsed when the program runs cannot be.
#[cfg(any(feature = "rust-embed", feature = "dev"))]
#[derive(Debug)]
pub(crate) enum Misread {
    #[cfg(feature = "rust-embed")]
    Folder(upfront_directory::Errors),
    #[cfg(feature = "rust-embed")]
    EmptyFolder,
    #[cfg(feature = "dev")]
    Directory(upfront_directory::Errors),
    #[cfg(feature = "dev")]
    DirectoryGone { directory: &'static str },
}

/// A migration that the server refused.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) migration: String,
    pub(crate) direction: Direction,
    pub(crate) excerpt: Excerpt,
    pub(crate) cause: Cause,
    pub(crate) remains: Remains,
    /// How often the migration was tried, where a lock was the cause.
    pub(crate) attempts: u32,
    /// What to do about it on this database; else the SQLSTATE says.
    pub(crate) advice: Option<String>,
    /// The index that stays, quoted and qualified.
    pub(crate) invalid_index: Option<String>,
}

/// The server's words.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) code: SqlState,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) context: Option<String>,
}

impl Cause {
    /// Takes the server's error, without the secrets that it quotes.
    ///
    /// The rows of a `COPY` are no SQL in which secrets could be found: its columns tell.
    pub(crate) fn of(err: &DbError, secrets: &Known, statement: Option<&Statement>) -> Self {
        let code = err.code().clone();
        if statement.is_some_and(|it| it.secret && it.data.is_some()) {
            let message = "the server's message is not shown, as the rows hold a secret".to_owned();
            return Self { code, message, detail: None, hint: None, context: None };
        }
        let shown = |it: &str| secrets.redact(it);
        Self {
            code,
            message: shown(err.message()),
            detail: err.detail().map(shown),
            hint: err.hint().map(shown),
            context: err.where_().map(shown),
        }
    }
}

/// What a failed migration leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remains {
    /// Its transaction was rolled back.
    Nothing,
    /// It runs outside a transaction: what stood before the statement stays.
    Before,
    /// As `Before`, and the statement itself may have committed something.
    Unclear,
}

/// A migration of which nobody can tell how far it came.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) migration: String,
    pub(crate) direction: Direction,
    pub(crate) excerpt: Excerpt,
    pub(crate) why: Cow<'static, str>,
    pub(crate) help: &'static str,
    /// When to do what.
    pub(crate) choices: Vec<(Cow<'static, str>, String)>,
}

/// A migration outside a transaction that was stopped because its lock is gone.
#[derive(Debug)]
pub(crate) struct LockLost {
    pub(crate) migration: String,
    pub(crate) direction: Direction,
    pub(crate) path: &'static str,
    /// The last statement that came to its end.
    pub(crate) excerpt: Option<Excerpt>,
    pub(crate) why: LossOfLock,
    pub(crate) reached: Reached,
    /// The command that records that statement, where its row does not say that it is done.
    pub(crate) finish: Option<String>,
}

/// How it was noticed that the session lock is gone.
#[derive(Debug)]
pub(crate) enum LossOfLock {
    /// Statements go to another server process than the one that took the lock.
    OtherBackend { pid: i32, now: String },
    /// The server process does not have the lock any more.
    Released { pid: i32 },
    /// Another process wrote the journal.
    Moved,
}

/// How far a migration came that was stopped at a write of its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The next statement was not sent.
    NotSent,
    /// The statement was rolled back.
    RolledBack,
    /// The last statement came to its end, and its row does not say so.
    Unrecorded,
    /// All statements are done; the history does not say so.
    Whole,
}

impl Error {
    /// The server and the program agree, yet something is still to be applied: what
    /// [`check`](crate::Migrator::check) says.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(*self.0, Kind::Pending { .. } | Kind::NotYet { .. })
    }

    /// The history in the database and the program contradict each other, in whatever way.
    #[must_use]
    pub fn is_diverged(&self) -> bool {
        matches!(*self.0, Kind::Diverged { .. })
    }

    /// A migration's file was changed after it was applied.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.diverged(|it| matches!(it, Divergence::Edited { .. } | Divergence::Renamed { .. }))
    }

    /// A migration was applied, and this program does not carry it though it carries newer ones.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.diverged(|it| matches!(it, Divergence::Missing { .. }))
    }

    /// A migration was added below the newest that the database has.
    #[must_use]
    pub fn is_out_of_order(&self) -> bool {
        self.diverged(|it| matches!(it, Divergence::Inserted { .. }))
    }

    /// A row of the history was changed or deleted by hand.
    #[must_use]
    pub fn is_tampered(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::DownAltered { .. }))
            || self.diverged(|it| {
                matches!(it, Divergence::Deleted { .. } | Divergence::Altered { .. })
            })
    }

    /// The database is newer than this program, and the program must not run on it.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.diverged(|it| matches!(it, Divergence::Ahead { .. }))
    }

    /// The database has no history of upfront's, but one of another tool.
    #[must_use]
    pub fn is_foreign_history(&self) -> bool {
        matches!(*self.0, Kind::Foreign { .. })
    }

    /// Something is pending and the session cannot write: a standby, or a read-only setting.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        #[cfg(feature = "cli")]
        if let Kind::Adopt(it) = &*self.0 {
            return it.is_read_only();
        }
        matches!(*self.0, Kind::ReadOnly { .. })
    }

    /// A history cannot be taken over, or a baseline cannot be set: nothing was written, and the
    /// text lists all that stands in the way.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn is_adoption_refused(&self) -> bool {
        matches!(&*self.0, Kind::Adopt(it) if !it.is_read_only())
    }

    /// The role lacks a right; the text holds the exact `GRANT`s.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(*self.0, Kind::Denied { .. })
    }

    /// Upfront's own tables cannot be trusted: they belong to a role that is not trusted, are no
    /// tables, or something hangs on them that would run with the rights of this session. Nothing of
    /// it was run; the text names the owner and what to do.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        matches!(*self.0, Kind::Untrusted { .. } | Kind::Meddled { .. })
    }

    /// A migration that runs outside a transaction met a connection pooler.
    #[must_use]
    pub fn is_pooler(&self) -> bool {
        matches!(*self.0, Kind::Pooler { .. })
    }

    /// A statement of a migration failed; [`code`](Self::code) tells the SQLSTATE.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(*self.0, Kind::Failed(_))
    }

    /// A migration ended its own transaction: part of it may be committed, and none of it is
    /// recorded.
    #[must_use]
    pub fn is_body_escaped(&self) -> bool {
        matches!(*self.0, Kind::Escaped { .. })
    }

    /// A migration outside a transaction was cut off at a statement whose fate nobody can tell.
    #[must_use]
    pub fn is_partially_applied(&self) -> bool {
        matches!(
            *self.0,
            Kind::Partial(_)
                | Kind::PartlyAhead { .. }
                | Kind::Rejection(Rejection::HalfApplied { .. })
        )
    }

    /// The session lost the migration lock while a migration outside a transaction ran, and another
    /// process may be running it: a statement released the lock, or a pooler in between does not
    /// keep one server connection for a session. What ran until then is in the journal.
    #[must_use]
    pub fn is_lock_lost(&self) -> bool {
        matches!(*self.0, Kind::LockLost(_))
    }

    /// Somebody else held the migration lock, a lock on upfront's own tables, or all connections of
    /// the pool for too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(
            *self.0,
            Kind::Wait { .. } | Kind::NotYet { .. } | Kind::Exhausted { .. } | Kind::Silent { .. }
        )
    }

    /// The database could not be reached, or turned the connection away.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(*self.0, Kind::Connect(_) | Kind::Unreachable { .. })
    }

    /// A rollback's target is none: a version that is unknown or not applied, or more steps than
    /// there are migrations. Nothing was changed.
    #[must_use]
    pub fn is_target(&self) -> bool {
        match *self.0 {
            Kind::Rejection(Rejection::Target(_)) => true,
            #[cfg(feature = "cli")]
            Kind::Rejection(Rejection::NotHeld { .. } | Rejection::Resolve(_)) => true,
            _ => false,
        }
    }

    /// The mark of a protected database is there, and was set on another one, of which this is a
    /// copy.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn is_copied(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::Copied { .. }))
    }

    /// A migration that was to be rolled back has no down side. Nothing was changed.
    #[must_use]
    pub fn is_irreversible(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::Irreversible { .. }))
    }

    /// A rollback would lose data, and nobody has [accepted](crate::Plan::accept_loss) that.
    #[must_use]
    pub fn is_data_loss(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::DataLoss { .. }))
    }

    /// The database is protected, and the plan lacks its [approval](crate::Plan::approve).
    #[must_use]
    pub fn is_protected(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::Protected { .. }))
    }

    /// The database has moved since the plan was made, or the approval is another plan's.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::Stale(_)))
    }

    /// A pending migration was rolled back and is held: it does not come back by itself.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::Held { .. }))
    }

    /// A schema was dropped after migrations were applied to it, so they are applied only by name.
    #[must_use]
    pub fn is_schema_replaced(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::SchemaReplaced { .. }))
    }

    /// The app has no history, but the same migrations were applied under another app, or with
    /// upfront's tables in another schema.
    #[must_use]
    pub fn is_duplicate_history(&self) -> bool {
        matches!(*self.0, Kind::Rejection(Rejection::DuplicateHistory { .. }))
    }

    /// A setting of the builder makes no sense.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        matches!(*self.0, Kind::Setting { .. })
    }

    /// Migrations that are parsed when the program runs have mistakes, or there are none.
    #[cfg(all(feature = "cli", any(feature = "rust-embed", feature = "dev")))]
    pub(crate) fn is_misread(&self) -> bool {
        matches!(*self.0, Kind::Misread(_))
    }

    /// The server's SQLSTATE, where the server was the cause.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        match &*self.0 {
            Kind::Failed(it) => Some(&it.cause.code),
            Kind::Server { source, .. } | Kind::Connect(PoolError::Backend(source)) => {
                source.code()
            }
            Kind::Denied { .. } => Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            _ => None,
        }
    }

    fn diverged(&self, which: impl Fn(&Divergence) -> bool) -> bool {
        matches!(&*self.0, Kind::Diverged { found, .. } if found.iter().any(which))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// Says one thing more.
    #[cfg(feature = "dev")]
    pub(crate) fn noting(self, it: impl fmt::Display) -> Self {
        Self(self.0, Note(Some(it.to_string())))
    }
}

#[cfg(any(feature = "rust-embed", feature = "dev"))]
impl From<Misread> for Error {
    fn from(it: Misread) -> Self {
        Kind::Misread(it).into()
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind), Note::default())
    }
}

/// The same as `Display`, so that an `unwrap` or a `main` that returns the error reads well.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {}
