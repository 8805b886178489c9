//! Everything that can stop a boot, and what to do about it.

#[cfg(feature = "admin")]
pub(crate) mod adopt_error;
pub(crate) mod display;
pub(crate) mod distrust;
pub(crate) mod excerpt;
pub(crate) mod fields;
pub(crate) mod kind;
pub(crate) mod locate;
pub(crate) mod rejection;
pub(crate) mod secrets;

use std::{borrow::Cow, error, fmt, time::Duration};

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};
use upfront_redact::KnownSecrets;

use crate::{
    Direction, ForeignHistory,
    embedded::{MigrationName, Statement},
    error::{
        distrust::{Distrust, Meddling},
        excerpt::Excerpt,
        kind::ErrorKind,
        rejection::Rejection,
    },
    event::LockHolder,
    plan::{command::CommandOptions, journal::PartlyApplied, pending::Divergence},
    report::Report,
};

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// [`kind`](Self::kind) and the other methods are for programs. `Display` is for people, and is
/// complete: what failed, where, why, and what to do next. So there is no
/// [`source`](error::Error::source), and logging the error alone is enough. It never contains a
/// password or a connection string.
pub struct Error {
    details: Box<Details>,
    pub(crate) note: Note,
    report: Option<Box<Report>>,
}

/// An addition to the text of an error.
#[derive(Debug, Default)]
pub(crate) struct Note(#[cfg(feature = "dev")] pub(crate) Option<String>);

#[derive(Debug)]
pub(crate) enum Details {
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
        migration: MigrationName,
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
        holder: Option<LockHolder>,
    },
    NotYet {
        waited: Duration,
        pending: Vec<String>,
        holder: Option<LockHolder>,
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
        migration: MigrationName,
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
        migration: MigrationName,
        path: &'static str,
    },
    Failed(Failure),
    Escaped {
        migration: MigrationName,
        direction: Direction,
        path: &'static str,
    },
    Partial(Partial),
    LockLost(LockLost),
    Rejection(Rejection),
    #[cfg(feature = "admin")]
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
    Locked(Vec<LockHolder>),
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
    pub(crate) migration: MigrationName,
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

impl Failure {
    /// A failure of the first try.
    pub(crate) fn new(
        migration: MigrationName,
        direction: Direction,
        excerpt: Excerpt,
        cause: Cause,
        remains: Remains,
    ) -> Self {
        let (attempts, advice, invalid_index) = (1, None, None);
        Self { migration, direction, excerpt, cause, remains, attempts, advice, invalid_index }
    }
}

/// The server's words.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) code: SqlState,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) context: Option<String>,
    /// In the statement, from one.
    pub(crate) position: Option<u32>,
}

impl Cause {
    /// Takes the server's error, without the secrets that it quotes.
    ///
    /// The rows of a `COPY` are no SQL in which secrets could be found: its columns tell.
    pub(crate) fn of(err: &DbError, secrets: &KnownSecrets, statement: Option<&Statement>) -> Self {
        let code = err.code().clone();
        if statement.is_some_and(|it| it.secret && it.data.is_some()) {
            let message = "the server's message is not shown, as the rows hold a secret".to_owned();
            return Self { code, message, detail: None, hint: None, context: None, position: None };
        }
        let shown = |it: &str| secrets.redact(it);
        Self {
            code,
            message: shown(err.message()),
            detail: err.detail().map(shown),
            hint: err.hint().map(shown),
            context: err.where_().map(shown),
            position: match err.position() {
                Some(ErrorPosition::Original(at)) => Some(*at),
                _ => None,
            },
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

/// A migration of which it is unknown how far it came.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) migration: MigrationName,
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
    pub(crate) migration: MigrationName,
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
    /// Returns the kind of the error.
    ///
    /// If the history differs from the program in several ways, this is the kind of the first of
    /// [`divergences`](Self::divergences).
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.details().kind()
    }

    /// Returns `true` if the history in the database contradicts the program, in any way.
    #[must_use]
    pub fn is_diverged(&self) -> bool {
        matches!(*self.details, Details::Diverged { .. })
    }

    /// Returns `true` if the same call may succeed later: the server was unreachable, the connection
    /// was lost, or a lock was not free in time.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Unreachable | ErrorKind::ConnectionLost | ErrorKind::Timeout
        )
    }

    /// Returns what the call did before it failed: the migrations that it applied or rolled back.
    ///
    /// Of [`up`](crate::Migrator::up), [`down`](crate::Migrator::down) and
    /// [`apply`](crate::Migrator::apply), once they have begun; `None` for other calls. A migration
    /// that failed is not part of the report.
    ///
    /// ```no_run
    /// # async fn example(migrator: upfront::Migrator) {
    /// if let Err(err) = migrator.up().await {
    ///     let applied = err.report().map_or(0, |it| it.applied.len());
    ///     eprintln!("{applied} migrations were applied before this error: {err}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    pub(crate) fn with_report(self, report: Report) -> Self {
        Self { report: Some(Box::new(report)), ..self }
    }

    /// With what was done before the call that failed.
    #[cfg(feature = "dev")]
    pub(crate) fn preceded_by(self, done: Report) -> Self {
        let report = match self.report {
            Some(it) => it.after(done),
            None => done,
        };
        Self { report: Some(Box::new(report)), ..self }
    }

    pub(crate) fn details(&self) -> &Details {
        &self.details
    }

    /// Says one thing more.
    #[cfg(feature = "dev")]
    pub(crate) fn noting(self, it: impl fmt::Display) -> Self {
        Self { note: Note(Some(it.to_string())), ..self }
    }
}

#[cfg(any(feature = "rust-embed", feature = "dev"))]
impl From<Misread> for Error {
    fn from(it: Misread) -> Self {
        Details::Misread(it).into()
    }
}

impl From<Details> for Error {
    fn from(kind: Details) -> Self {
        Self { details: Box::new(kind), note: Note::default(), report: None }
    }
}

/// The same as `Display`, so that an `unwrap` or a `main` that returns the error reads well.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {}

impl From<Rejection> for Error {
    fn from(it: Rejection) -> Self {
        Details::Rejection(it).into()
    }
}
