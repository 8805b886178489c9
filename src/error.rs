//! Everything that can stop a boot, and what to do about it.

use std::{borrow::Cow, error, fmt, time::Duration};

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

use crate::{
    embedded::title,
    event::Holder,
    excerpt::Excerpt,
    plan::{Divergence, Unknown},
};

/// What every fallible call of this crate gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the database was not settled.
///
/// The text says what was being done, what stopped it and what to do next, with file, version and
/// line where there are some. It never holds a password or a connection string. Where the server
/// or the driver was the cause and the text does not quote it, [`source`](error::Error::source)
/// does.
pub struct Error(Box<Kind>);

#[derive(Debug)]
pub(crate) enum Kind {
    Setting {
        name: &'static str,
        problem: Cow<'static, str>,
    },
    #[cfg(feature = "rust-embed")]
    Folder(upfront_directory::Errors),
    #[cfg(feature = "rust-embed")]
    EmptyFolder,
    Connect(PoolError),
    Exhausted {
        waited: Duration,
    },
    Server {
        doing: &'static str,
        source: tokio_postgres::Error,
    },
    Lost {
        migration: String,
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
    },
    Diverged {
        label: &'static str,
        found: Vec<Divergence>,
        own: bool,
    },
    Foreign {
        tables: Vec<(String, String)>,
    },
    ReadOnly {
        pending: Vec<String>,
        standby: bool,
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
        path: &'static str,
    },
    Partial(Partial),
}

/// A migration that the server refused.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) migration: String,
    pub(crate) excerpt: Excerpt,
    pub(crate) cause: Cause,
    pub(crate) remains: Remains,
    /// How often the migration was tried, where a lock was the cause.
    pub(crate) attempts: u32,
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
    /// Takes the server's error; for a statement that holds a password, without its words.
    pub(crate) fn of(err: &DbError, secret: bool) -> Self {
        if secret {
            let message = "the server's message is not shown, as the statement holds a password";
            let code = err.code().clone();
            return Self { code, message: message.into(), detail: None, hint: None, context: None };
        }
        Self {
            code: err.code().clone(),
            message: err.message().to_owned(),
            detail: err.detail().map(str::to_owned),
            hint: err.hint().map(str::to_owned),
            context: err.where_().map(str::to_owned),
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
    pub(crate) excerpt: Excerpt,
    pub(crate) why: &'static str,
    pub(crate) done: String,
    pub(crate) again: String,
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
        self.diverged(|it| matches!(it, Divergence::Deleted { .. } | Divergence::Altered { .. }))
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
        matches!(*self.0, Kind::ReadOnly { .. })
    }

    /// The role lacks a right; the text holds the exact `GRANT`s.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(*self.0, Kind::Denied { .. })
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
        matches!(*self.0, Kind::Partial(_))
    }

    /// Somebody else held the migration lock, or all connections of the pool, for too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, Kind::Wait { .. } | Kind::NotYet { .. } | Kind::Exhausted { .. })
    }

    /// The database could not be reached, or turned the connection away.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(*self.0, Kind::Connect(_))
    }

    /// A setting of the builder makes no sense.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        matches!(*self.0, Kind::Setting { .. })
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
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

/// The same as `Display`, so that an `unwrap` or a `main` that returns the error reads well.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = error::Error::source(self);
        while let Some(it) = cause {
            write!(f, "\ncaused by: {it}")?;
            cause = it.source();
        }
        Ok(())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::Connect(PoolError::Backend(it)) => Some(it),
            Kind::Connect(it) => Some(it),
            Kind::Server { source, .. } | Kind::Lost { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Setting { name, problem } => write!(f, "setting `{name}`: {problem}"),
            #[cfg(feature = "rust-embed")]
            Kind::Folder(it) => write!(f, "the embedded migrations have mistakes\n{it}"),
            #[cfg(feature = "rust-embed")]
            Kind::EmptyFolder => f.write_str(
                "the embedded folder holds no migration\n  help: a debug build of rust-embed reads \
                 the folder when the program runs: was the program moved?",
            ),
            Kind::Connect(it) => connect(f, it),
            Kind::Exhausted { waited } => write!(
                f,
                "no connection of the pool came free within {waited:.1?}\n  help: the pool needs \
                 one connection for migrations: raise its size or give back what it lends"
            ),
            Kind::Server { doing, .. } => write!(f, "the database failed while {doing}"),
            Kind::Lost { migration, .. } => write!(
                f,
                "the connection was lost while migration `{migration}` ran\n  help: see the \
                 server's log: it may have stopped, or somebody ended the session; the next boot \
                 finds out how far the migration came"
            ),
            Kind::Unexpected { doing } => {
                write!(f, "the server's answer was not understood while {doing}")
            }
            Kind::OldServer { version } => {
                write!(f, "PostgreSQL {version} is too old: upfront needs 14 or newer")
            }
            Kind::Wait { app, waited, holder } => {
                write!(f, "the migration lock of app `{app}` was not free within {waited:.1?}")?;
                held(f, holder.as_ref())
            }
            Kind::NotYet { waited, pending, holder } => {
                write!(f, "the database was not brought up to date within {waited:.1?}")?;
                list(f, "pending", pending)?;
                held(f, holder.as_ref())
            }
            Kind::Pending { migrations } => {
                f.write_str("the database is behind this program")?;
                list(f, "pending", migrations)?;
                f.write_str("\n  help: run `up()` with a role that may migrate")
            }
            Kind::Diverged { label, found, own } => diverged(f, label, found, *own),
            Kind::Foreign { tables } => foreign(f, tables),
            Kind::ReadOnly { pending, standby } => read_only(f, pending, *standby),
            Kind::Denied { doing, message, grants } => denied(f, doing, message, grants),
            Kind::Pooler { migration, path } => write!(
                f,
                "migration `{migration}` runs outside a transaction and cannot go through a \
                 connection pooler; nothing was changed\n  file: {path}\n  help: give upfront a \
                 pool that connects to the server directly, or set `session_pooler()` if the \
                 pooler keeps one server connection for a whole session"
            ),
            Kind::Failed(it) => failed(f, it),
            Kind::Escaped { migration, path } => write!(
                f,
                "migration `{migration}` ended the transaction that it ran in\n  file: {path}\n  \
                 what it did before may be committed, and it is not recorded as applied\n  help: \
                 take the transaction control out of the file, and undo by hand what it left"
            ),
            Kind::Partial(it) => partial(f, it),
        }
    }
}

fn connect(f: &mut fmt::Formatter<'_>, err: &PoolError) -> fmt::Result {
    f.write_str("cannot connect to the database")?;
    let PoolError::Backend(err) = err else { return Ok(()) };
    let advice = match err.code() {
        Some(it) if *it == SqlState::INVALID_PASSWORD => {
            "the server refused the password: check the user and the password of the pool"
        }
        Some(it) if *it == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "the server turned the connection away: check user, address and TLS against its \
             `pg_hba.conf`"
        }
        Some(it) if *it == SqlState::INVALID_CATALOG_NAME => {
            "the database does not exist: create it, or correct its name in the pool's settings"
        }
        Some(it) if *it == SqlState::TOO_MANY_CONNECTIONS => {
            "the server has no connection left: raise `max_connections` or use fewer"
        }
        Some(_) => "",
        None if is_refused(err) => {
            "nothing answers there: is the server running, and are host and port right?"
        }
        None => "check host, port and TLS in the pool's settings",
    };
    if let Some(err) = err.as_db_error() {
        write!(f, ": {} (SQLSTATE {})", err.message(), err.code().code())?;
    }
    if advice.is_empty() { Ok(()) } else { write!(f, "\n  help: {advice}") }
}

fn is_refused(err: &tokio_postgres::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    let io = error::Error::source(err).and_then(|it| it.downcast_ref::<std::io::Error>());
    io.is_some_and(|it| matches!(it.kind(), ConnectionRefused | NotFound))
}

fn held(f: &mut fmt::Formatter<'_>, holder: Option<&Holder>) -> fmt::Result {
    match holder {
        Some(it) => {
            write!(f, "\n  held by: {it}\n  help: wait for it, or end it with {}", it.ending())
        }
        None => Ok(()),
    }
}

fn list(f: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
    const SHOWN: usize = 10;
    for it in names.iter().take(SHOWN) {
        write!(f, "\n  {what}: {it}")?;
    }
    match names.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}

fn diverged(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    found: &[Divergence],
    own: bool,
) -> fmt::Result {
    const SHOWN: usize = 10;
    match own {
        true => {
            f.write_str("upfront's own tables differ from what this version of upfront made")?
        }
        false => f.write_str("the database's history and this program differ")?,
    }
    for it in found.iter().take(SHOWN) {
        f.write_str("\n")?;
        divergence(f, label, it)?;
    }
    match found.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}

fn divergence(f: &mut fmt::Formatter<'_>, label: &str, it: &Divergence) -> fmt::Result {
    match it {
        Divergence::Edited { migration, applied, difference } => {
            let (title, path, hash) = (migration.title(), migration.up.path, migration.up.hash);
            write!(f, "  migration `{title}` was changed after it was applied\n    file: {path}")?;
            write!(f, "\n    applied:  {applied}\n    embedded: {hash}")?;
            if let Some(it) = difference {
                write!(f, "\n{it}")?;
            }
            write!(
                f,
                "\n    help: restore the file and write a new migration; if the change makes no \
                 difference to the schema, add `-- upfront:accepts {applied}` to its head"
            )
        }
        Divergence::Renamed { migration, applied } => write!(
            f,
            "  migration `{applied}` is now called `{}`\n    file: {}\n    hash: {}\n    help: \
             give the file its old name back",
            migration.title(),
            migration.up.path,
            migration.up.hash
        ),
        Divergence::Missing { version, name, hash } => {
            let title = title(version, name);
            write!(
                f,
                "  migration `{title}` was applied and is not in this program\n    file: \
                 {label}/{title}.sql\n    applied:  {hash}\n    embedded: none\n    help: restore \
                 the file; its text is in the column `up_sql` of the revision table"
            )
        }
        Divergence::Inserted { migration, head } => write!(
            f,
            "  migration `{}` was never applied and is older than `{head}`, the newest applied\n    \
             file: {}\n    applied:  none\n    embedded: {}\n    help: give it a version after \
             `{head}`",
            migration.title(),
            migration.up.path,
            migration.up.hash
        ),
        Divergence::Deleted { migration } => write!(
            f,
            "  the row of migration `{}` was deleted from the revision table\n    file: {}\n    \
             applied:  none\n    embedded: {}\n    help: bring the row back from a backup",
            migration.title(),
            migration.up.path,
            migration.up.hash
        ),
        Divergence::Altered { version, name } => write!(
            f,
            "  the row of migration `{}` was changed in the revision table\n    help: bring the \
             row back from a backup",
            title(version, name)
        ),
        Divergence::Ahead { version, name, breaking } => {
            let why = if *breaking { "is breaking for older programs" } else { "is unknown here" };
            write!(
                f,
                "  migration `{}` was applied by a newer program and {why}\n    help: deploy the \
                 newer program again, or roll the migration back",
                title(version, name)
            )
        }
    }
}

fn foreign(f: &mut fmt::Formatter<'_>, tables: &[(String, String)]) -> fmt::Result {
    f.write_str("the database has no history of upfront's, but one of another tool")?;
    for (table, tool) in tables {
        write!(f, "\n  table {table}: {tool}")?;
    }
    f.write_str(
        "\n  help: take its history over with `upfront adopt`; if it has nothing to do with this \
         program, set `ignore_foreign_history()`",
    )
}

fn read_only(f: &mut fmt::Formatter<'_>, pending: &[String], standby: bool) -> fmt::Result {
    f.write_str(match standby {
        true => "migrations are pending, and this server is a standby; nothing was tried",
        false => "migrations are pending, and this session is read-only; nothing was tried",
    })?;
    list(f, "pending", pending)?;
    f.write_str(match standby {
        true => "\n  help: run `up()` against the primary; here, `wait()` for its replay",
        false => "\n  help: see `default_transaction_read_only` of the role and the database",
    })
}

fn denied(
    f: &mut fmt::Formatter<'_>,
    doing: &str,
    message: &str,
    grants: &[String],
) -> fmt::Result {
    write!(f, "not allowed while {doing}: {message} (SQLSTATE 42501)")?;
    f.write_str("\n  help: as an owner, run")?;
    grants.iter().try_for_each(|it| write!(f, "\n    {it};"))
}

fn failed(f: &mut fmt::Formatter<'_>, it: &Failure) -> fmt::Result {
    let Failure { migration, excerpt, cause, remains, attempts } = it;
    let code = cause.code.code();
    write!(
        f,
        "migration `{migration}` failed at {}: {} (SQLSTATE {code})",
        excerpt.place(),
        cause.message
    )?;
    write!(f, "\n{excerpt}")?;
    for (name, it) in
        [("detail", &cause.detail), ("hint", &cause.hint), ("context", &cause.context)]
    {
        if let Some(it) = it {
            write!(f, "\n  {name}: {}", it.replace('\n', "\n    "))?;
        }
    }
    if *attempts > 1 {
        write!(f, "\n  it was tried {attempts} times")?;
    }
    f.write_str(match remains {
        Remains::Nothing => "\n  nothing of this migration was applied",
        Remains::Before => {
            "\n  the statements before it are applied; the next boot goes on at this one"
        }
        Remains::Unclear => {
            "\n  the statements before it are applied; whether it took effect in part, nobody can \
             tell: the next boot stops here and says how to go on"
        }
    })?;
    match advice(&cause.code) {
        Some(it) => write!(f, "\n  help: {it}"),
        None => Ok(()),
    }
}

fn advice(code: &SqlState) -> Option<&'static str> {
    Some(match code {
        it if *it == SqlState::LOCK_NOT_AVAILABLE => {
            "another transaction holds a lock on the table: end it, or give the file more time \
             with `-- upfront:lock-timeout`"
        }
        it if *it == SqlState::QUERY_CANCELED => {
            "it was cancelled: give the file more time with `-- upfront:statement-timeout`, or see \
             who cancelled it"
        }
        it if *it == SqlState::INSUFFICIENT_PRIVILEGE => {
            "the role lacks a right: grant it, or set `role` to the owner"
        }
        it if *it == SqlState::UNSAFE_NEW_ENUM_VALUE_USAGE => {
            "a new enum value can be used once it is committed: put its use into the next file"
        }
        _ => return None,
    })
}

fn partial(f: &mut fmt::Formatter<'_>, it: &Partial) -> fmt::Result {
    let Partial { migration, excerpt, why, done, again } = it;
    write!(
        f,
        "migration `{migration}` is partially applied: it was cut off at {}",
        excerpt.place()
    )?;
    write!(
        f,
        "\n{excerpt}\n  {why}\n  help: find out whether the statement took effect, then run"
    )?;
    write!(f, "\n    if it did:     {done}\n    if it did not: {again}")
}

/// The names of what is ahead, for a report.
pub(crate) fn names(unknown: &[Unknown]) -> Vec<String> {
    unknown.iter().map(|it| title(&it.version, &it.name)).collect()
}
