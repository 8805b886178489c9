//! The words of every error: what was being done, what stopped it, what to do next.

use std::{error, fmt, time::Duration};

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::{
    Direction, ForeignHistory,
    embedded::{MigrationName, title},
    error::{
        Details, Error, Failure, LockLost, LossOfLock, Note, Partial, Reached, Remains, Silence,
        distrust::{Distrust, Meddling, Problem},
    },
    event::LockHolder,
    plan::{
        command::{CommandOptions, shell_word},
        journal::PartlyApplied,
        pending::Divergence,
        words::{done, list},
    },
};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.details().fmt(f)?;
        self.note.fmt(f)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "dev")]
        self.0.iter().try_for_each(|it| write!(f, "\n  dev: {it}"))?;
        f.write_str("")
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Details::Setting { name, problem } => write!(f, "setting `{name}`: {problem}"),
            #[cfg(any(feature = "rust-embed", feature = "dev"))]
            Details::Misread(it) => it.fmt(f),
            Details::Connect(it) => connect(f, it),
            Details::Exhausted { waited } => write!(
                f,
                "no connection of the pool came free within {waited:.1?}\n  help: the pool needs \
                 one connection for migrations: raise its size or give back what it lends"
            ),
            Details::Unreachable { waited } => write!(
                f,
                "cannot connect to the database: no answer within {waited:.1?}\n  help: check host \
                 and port in the pool's settings, and what stands between"
            ),
            Details::Silent { waited, silence } => silent(f, *waited, silence),
            Details::Server { doing, source } => {
                write!(f, "the database failed while {doing}: {}", cause(source))
            }
            Details::ConnectionLost { migration, direction, source } => write!(
                f,
                "the connection was lost while {} ran: {}\n  help: see the \
                 server's log: it may have stopped, or somebody ended the session; the next {} \
                 finds out how far it came",
                side(*direction, migration),
                cause(source),
                next(*direction)
            ),
            Details::Unexpected { doing } => {
                write!(f, "the server's answer was not understood while {doing}")
            }
            Details::OldServer { version } => {
                write!(f, "PostgreSQL {version} is too old: upfront needs 14 or newer")
            }
            Details::Wait { app, waited, holder } => {
                write!(f, "the migration lock of app `{app}` was not free within {waited:.1?}")?;
                held(f, holder.as_ref())
            }
            Details::NotYet { waited, pending, holder } => {
                write!(f, "the database was not up to date within {waited:.1?}")?;
                list(f, "pending", pending)?;
                held(f, holder.as_ref())
            }
            Details::Pending { migrations, running } => {
                f.write_str("the database is behind this program")?;
                list(f, "pending", migrations)?;
                f.write_str(match running {
                    true => "\n  help: wait for it",
                    false => "\n  help: run `up` with a role that may migrate",
                })
            }
            Details::PartlyAhead { found } => partly_ahead(f, found),
            Details::Diverged { label, found, is_metadata: true, .. } => {
                own_diverged(f, label, found)
            }
            Details::Diverged { label, found, options, .. } => diverged(f, label, found, options),
            Details::Foreign { tables } => foreign(f, tables),
            Details::ReadOnly { direction, migrations, standby } => {
                read_only(f, *direction, migrations, *standby)
            }
            Details::Untrusted { schema, found } => untrusted(f, schema, found),
            Details::Meddled { migration, direction, path, how } => write!(
                f,
                "{} changes upfront's own tables: {}; it was rolled back\n  file: {path}\n  help: \
                 remove from the file what changes them",
                side(*direction, migration),
                match how {
                    Meddling::Attached => "a rule, trigger or policy is attached to them",
                    Meddling::NotWritten => "the row that records it was not written",
                }
            ),
            Details::Denied { doing, message, grants } => denied(f, doing, message, grants),
            Details::Pooler { migration, path } => write!(
                f,
                "migration `{migration}` runs outside a transaction and cannot go through a \
                 connection pooler; nothing was changed\n  file: {path}\n  help: give upfront a \
                 pool that connects to the server directly, or set `session_pooler` if the \
                 pooler keeps one server connection for a whole session"
            ),
            Details::Failed(it) => failed(f, it),
            Details::Escaped { migration, direction, path } => write!(
                f,
                "{} ended the transaction that it ran in\n  file: {path}\n  what it did before may \
                 be committed, and it is not recorded as {}\n  help: take the transaction control \
                 out of the file, and undo by hand what it left",
                side(*direction, migration),
                done(*direction)
            ),
            Details::Partial(it) => partial(f, it),
            Details::LockLost(it) => lock_lost(f, it),
            Details::Rejection(it) => it.fmt(f),
            #[cfg(feature = "admin")]
            Details::Adopt(it) => it.fmt(f),
        }
    }
}

/// What ran, as the start of a sentence or in the middle of one.
fn side(direction: Direction, migration: &MigrationName) -> String {
    match direction {
        Direction::Up => format!("migration `{migration}`"),
        Direction::Down => format!("the down script of migration `{migration}`"),
    }
}

/// Which call continues.
fn next(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "boot",
        Direction::Down => "`down` or `up`",
    }
}

#[cfg(any(feature = "rust-embed", feature = "dev"))]
impl fmt::Display for crate::error::Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "rust-embed")]
            Self::Folder(it) => write!(f, "the embedded migrations have mistakes\n{it}"),
            #[cfg(feature = "rust-embed")]
            Self::EmptyFolder => f.write_str(
                "the embedded folder holds no migration\n  help: a debug build of rust-embed reads \
                 the folder when the program runs: was the program moved?",
            ),
            #[cfg(feature = "dev")]
            Self::Directory(it) => write!(f, "the migrations directory has mistakes\n{it}"),
            #[cfg(feature = "dev")]
            Self::DirectoryGone { directory } => write!(
                f,
                "the migrations directory is gone\n  directory: {directory}\n  help: `Migrator::dev` \
                 reads it whenever it starts; rebuild the program where the directory is now"
            ),
        }
    }
}

fn silent(f: &mut fmt::Formatter<'_>, waited: Duration, silence: &Silence) -> fmt::Result {
    write!(f, "the database did not answer within {waited:.1?}")?;
    match silence {
        Silence::Unknown => f.write_str(
            "\n  whether a table is locked or the connection is dead is unknown\n  help: see in \
             `pg_locks` who has locked the revision table, and check the network; a pool whose \
             connections `upfront::Connector` makes notices dead ones",
        ),
        Silence::Server => f.write_str(
            "\n  a new connection gets no answer, either\n  help: check that the server runs, and \
             the network between here and there",
        ),
        Silence::Link => f.write_str(
            "\n  a new connection gets answers, so this one is dead: something between here and the \
             server swallows what it carries\n  help: try again, and let `upfront::Connector` make \
             the pool's connections: it notices dead ones",
        ),
        Silence::Locked(holders) => {
            f.write_str("\n  the revision table is locked")?;
            holders.iter().try_for_each(|it| write!(f, "\n  locked by: {it}"))?;
            match holders.first() {
                Some(it) => write!(f, "\n  help: wait for it, or end it with {}", it.ending()),
                None => f.write_str("\n  help: see in `pg_locks` who has locked it"),
            }
        }
    }
}

fn connect(f: &mut fmt::Formatter<'_>, err: &PoolError) -> fmt::Result {
    let PoolError::Backend(err) = err else {
        return write!(f, "cannot connect to the database: {err}");
    };
    write!(f, "cannot connect to the database: {}", cause(err))?;
    match connect_advice(err) {
        Some(it) => write!(f, "\n  help: {it}"),
        None => Ok(()),
    }
}

fn connect_advice(err: &tokio_postgres::Error) -> Option<&'static str> {
    Some(match err.code() {
        Some(it) if *it == SqlState::INVALID_PASSWORD => {
            "check the user and the password in the pool's settings"
        }
        Some(it) if *it == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check user, address and TLS in the pool's settings against the server's `pg_hba.conf`"
        }
        Some(it) if *it == SqlState::INVALID_CATALOG_NAME => {
            "create the database, or correct its name in the pool's settings"
        }
        Some(it) if *it == SqlState::TOO_MANY_CONNECTIONS => {
            "raise the server's `max_connections`, or use fewer connections"
        }
        Some(_) => return None,
        None if is_refused(err) => {
            "nothing answers there: is the server running, and are host and port right?"
        }
        None => "check host, port, password and TLS in the pool's settings",
    })
}

/// Why, in one line. The driver's own text is `db error`, and what matters is at the end of its
/// chain.
fn cause(err: &tokio_postgres::Error) -> String {
    if let Some(err) = err.as_db_error() {
        let message = upfront_redact::redact_message(err.message());
        return format!("{message} (SQLSTATE {})", err.code().code());
    }
    let mut cause: &dyn error::Error = err;
    while let Some(it) = cause.source() {
        cause = it;
    }
    cause.to_string()
}

fn is_refused(err: &tokio_postgres::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    let io = error::Error::source(err).and_then(|it| it.downcast_ref::<std::io::Error>());
    io.is_some_and(|it| matches!(it.kind(), ConnectionRefused | NotFound))
}

fn held(f: &mut fmt::Formatter<'_>, holder: Option<&LockHolder>) -> fmt::Result {
    match holder {
        Some(it) => {
            write!(f, "\n  held by: {it}\n  help: wait for it, or end it with {}", it.ending())
        }
        None => Ok(()),
    }
}

fn own_diverged(f: &mut fmt::Formatter<'_>, label: &str, found: &[Divergence]) -> fmt::Result {
    f.write_str("upfront's own tables differ from what this version of upfront made")?;
    divergences(f, label, found, &CommandOptions::default())
}

fn diverged(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    found: &[Divergence],
    options: &CommandOptions,
) -> fmt::Result {
    f.write_str("the database's history and this program differ")?;
    divergences(f, label, found, options)
}

fn divergences(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    found: &[Divergence],
    options: &CommandOptions,
) -> fmt::Result {
    const SHOWN: usize = 10;
    for it in found.iter().take(SHOWN) {
        f.write_str("\n")?;
        divergence(f, label, it, options)?;
    }
    match found.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}

fn divergence(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    it: &Divergence,
    options: &CommandOptions,
) -> fmt::Result {
    let resolve =
        |version: &str, as_| options.command(&format!("resolve {} {as_}", shell_word(version)));
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
        Divergence::Missing { version, name, hash, below, has_down } => {
            let title = title(version, name);
            write!(
                f,
                "  migration `{title}` was applied and is not in this program\n    file: \
                 {label}/{title}.sql\n    applied:  {hash}\n    embedded: none\n    help: restore \
                 the file; its text is in the column `up_sql` of the revision table"
            )?;
            if let (true, Some(below)) = (has_down, below) {
                let down = options.command(&format!("down --to {}", shell_word(below)));
                write!(
                    f,
                    "\n    or roll it back, and all migrations above it, by the stored down scripts: {down}"
                )?;
            }
            let undone = resolve(version, "--rolled-back");
            write!(f, "\n    or undo by hand what it did, and record that: {undone}")
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
             applied:  none\n    embedded: {}\n    help: run one of\n    if what \
             it did is in the database: {}\n    if it was undone by hand:      {}",
            migration.title(),
            migration.up.path,
            migration.up.hash,
            resolve(migration.version, "--applied"),
            resolve(migration.version, "--rolled-back")
        ),
        Divergence::Altered { version, name } => write!(
            f,
            "  the row of migration `{}` was changed in the revision table\n    help: bring the \
             row back from a backup",
            title(version, name)
        ),
        Divergence::Ahead { version, name, breaking, partly } => {
            let why = if *breaking { "is breaking for older programs" } else { "is unknown here" };
            let (how, way) = match partly {
                true => {
                    let undone = resolve(version, "--rolled-back");
                    ("partially applied", format!("undo by hand what it did, and run {undone}"))
                }
                false => ("applied", "roll the migration back".to_owned()),
            };
            write!(
                f,
                "  migration `{}` was {how} by a newer program and {why}\n    help: deploy the \
                 newer program again, or {way}",
                title(version, name)
            )
        }
    }
}

/// Why a database with these histories is not migrated, and what to do.
pub(crate) fn foreign(f: &mut fmt::Formatter<'_>, tables: &[ForeignHistory]) -> fmt::Result {
    f.write_str("another tool has migrated this database, and upfront has no history in it")?;
    tables.iter().try_for_each(|it| write!(f, "\n  {it}"))?;
    let mut adoptable = tables.iter().filter(|it| it.adoptable);
    match (adoptable.next(), adoptable.next()) {
        (Some(_), None) => f.write_str("\n  help: take its history over with `upfront adopt`")?,
        (Some(it), Some(_)) => write!(f, "\n  help: take one of them over with {}", it.adopting())?,
        (None, _) => f.write_str(
            "\n  help: compare the database with the migrations up to a version, and mark them as \
             applied: `upfront baseline VERSION`",
        )?,
    }
    let names: Vec<_> = tables.iter().map(|it| toml_text(&it.table)).collect();
    let calls = tables.iter().map(|it| format!("`ignore_foreign_history({:?})`", it.table));
    write!(
        f,
        "\n  help: if it has nothing to do with this program, ignore its table: {} in the program, \
         `ignore = [{}]` under `[foreign]` in upfront.toml",
        calls.collect::<Vec<_>>().join(", "),
        names.join(", ")
    )
}

/// A text in `upfront.toml`; a quoted name needs no escapes there.
fn toml_text(text: &str) -> String {
    match text.contains('"') && !text.contains('\'') {
        true => format!("'{text}'"),
        false => format!("{text:?}"),
    }
}

fn read_only(
    f: &mut fmt::Formatter<'_>,
    direction: Option<Direction>,
    migrations: &[String],
    standby: bool,
) -> fmt::Result {
    f.write_str(match direction {
        Some(Direction::Up) => "migrations are pending",
        Some(Direction::Down) => "migrations are to be rolled back",
        None => "upfront's tables are to be written",
    })?;
    f.write_str(match standby {
        true => ", and this server is a standby; nothing was tried",
        false => ", and this session is read-only; nothing was tried",
    })?;
    let label = if direction == Some(Direction::Up) { "pending" } else { "to be rolled back" };
    list(f, label, migrations)?;
    f.write_str(match (standby, direction) {
        (true, Some(Direction::Up)) => {
            "\n  help: run `up` against the primary; here, `wait` for its replay"
        }
        (true, _) => "\n  help: do it on the primary",
        (false, _) => "\n  help: see `default_transaction_read_only` of the role and the database",
    })
}

fn untrusted(f: &mut fmt::Formatter<'_>, schema: &str, found: &[Distrust]) -> fmt::Result {
    write!(
        f,
        "upfront's own tables in schema {schema} are not trusted; nothing was run from them"
    )?;
    for Distrust { problem, object, owner, .. } in found {
        let problem = match problem {
            Problem::Owner => "its owner is not trusted",
            Problem::Kind => "not a table",
            Problem::Type => "not of a built-in type",
            Problem::Rule => "rule",
            Problem::Trigger => "trigger",
            Problem::Policy => "row-level security",
            Problem::Guard => "its trigger `guard_app` is missing or disabled",
        };
        match object.contains(" on ") {
            true => write!(f, "\n  {problem} {object}, owned by role `{owner}`")?,
            false => write!(f, "\n  {object}: {problem} (owner: role `{owner}`)")?,
        }
    }
    if let Some(Distrust { owner, .. }) = found.iter().find(|it| it.problem == Problem::Owner) {
        return write!(
            f,
            "\n  help: if role `{owner}` is meant to own them, set `trusted_owner` to it \
             (`--trusted-owner {owner}`)\n    otherwise, as a superuser: DROP SCHEMA {schema} CASCADE;"
        );
    }
    f.write_str("\n  help: find out who made them; then, as the owner of the tables, run")?;
    found.iter().try_for_each(|it| write!(f, "\n    {};", it.remedy))
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

fn partly_ahead(f: &mut fmt::Formatter<'_>, found: &[(PartlyApplied, String)]) -> fmt::Result {
    f.write_str("the database has a part of a migration that this program does not carry")?;
    for (it, _) in found {
        let PartlyApplied { done, started, .. } = it;
        let title = it.title();
        write!(f, "\n  partially applied: {title}, {done} of {started} started statements done")?;
    }
    f.write_str(
        "\n  help: deploy the program that carries it, whose `up` continues it; or undo by hand \
         what it did, and then run",
    )?;
    found.iter().try_for_each(|(_, undone)| write!(f, "\n    {undone}"))
}

fn failed(f: &mut fmt::Formatter<'_>, it: &Failure) -> fmt::Result {
    let Failure { migration, direction, excerpt, cause, remains, attempts, invalid_index, .. } = it;
    let code = cause.code.code();
    write!(
        f,
        "{} failed at {}: {} (SQLSTATE {code})",
        side(*direction, migration),
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
    let next = next(*direction);
    match (remains, direction) {
        (Remains::Nothing, Direction::Up) => {
            f.write_str("\n  nothing of this migration was applied")?;
        }
        (Remains::Nothing, Direction::Down) => {
            f.write_str("\n  nothing of its transaction was rolled back: all of it is applied")?;
        }
        (Remains::Before, _) => write!(
            f,
            "\n  the statements before it are {}; the next {next} continues here",
            ran(*direction)
        )?,
        (Remains::Unclear, _) => write!(
            f,
            "\n  the statements before it are {}; whether it took effect in part is \
             unknown: the next {next} stops here and offers commands",
            ran(*direction)
        )?,
    }
    if let Some(it) = invalid_index {
        return write!(
            f,
            "\n  the invalid index {it} stays: queries do not use it, and rows may be refused by it; it \
             is dropped before it is built again\n  help: {}; or drop it now with `DROP INDEX \
             CONCURRENTLY {it}`",
            match cause.code == SqlState::UNIQUE_VIOLATION {
                true => "remove the duplicates, of which the detail names one, and boot again",
                false => "remove the cause, and boot again",
            }
        );
    }
    match it.advice.as_deref().or(advice(&cause.code)) {
        Some(it) => write!(f, "\n  help: {it}"),
        None => Ok(()),
    }
}

fn ran(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "applied",
        Direction::Down => "done",
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

fn lock_lost(f: &mut fmt::Formatter<'_>, it: &LockLost) -> fmt::Result {
    let LockLost { migration, direction, path, excerpt, why, reached, finish } = it;
    let what = side(*direction, migration);
    write!(f, "{what} was stopped: it runs outside a transaction and lost the migration lock")?;
    match excerpt {
        Some(it) => write!(f, "\n  last statement: {}\n{it}", it.place())?,
        None => write!(f, "\n  file: {path}")?,
    }
    match why {
        LossOfLock::OtherBackend { pid, now } => write!(
            f,
            "\n  the server process with pid {pid} took the lock, and statements now go to pid \
             {now}: a pooler in between does not keep one server connection for a session"
        )?,
        LossOfLock::Released { pid } => write!(
            f,
            "\n  the session (pid {pid}) does not hold the lock any more: a statement released it \
             (`pg_advisory_unlock_all`, `DISCARD ALL`), or a pooler did"
        )?,
        LossOfLock::Moved => {
            f.write_str("\n  another process wrote the journal of this migration meanwhile")?;
        }
    }
    f.write_str("\n  another process may be running this migration now")?;
    f.write_str(match reached {
        Reached::NotSent => "; the next statement was not sent",
        Reached::RolledBack => "; the statement after the last was rolled back",
        Reached::Unrecorded => {
            "; the last statement ran to its end, and its journal row does not record that"
        }
        Reached::Whole => "; all statements ran, and the history does not record that",
    })?;
    f.write_str(match why {
        LossOfLock::OtherBackend { .. } => {
            "\n  help: connect to the server directly, without `session_pooler`, and boot again"
        }
        LossOfLock::Released { .. } => {
            "\n  help: wait until `status` shows nobody who runs it, and boot again; release no \
             advisory locks in migrations"
        }
        LossOfLock::Moved => {
            "\n  help: wait until `status` shows nobody who runs it, and boot again"
        }
    })?;
    if let LossOfLock::OtherBackend { pid, .. } = why {
        write!(
            f,
            "; end the session that keeps the lock with `SELECT pg_terminate_backend({pid})`"
        )?;
    }
    match finish {
        Some(it) => write!(f, "\n    once nobody runs it, record the last statement: {it}"),
        None => Ok(()),
    }
}

fn partial(f: &mut fmt::Formatter<'_>, it: &Partial) -> fmt::Result {
    let Partial { migration, direction, excerpt, why, help, choices } = it;
    write!(
        f,
        "migration `{migration}` is partially {}: it was cut off at {}",
        done(*direction),
        excerpt.place()
    )?;
    write!(f, "\n{excerpt}\n  {why}\n  help: {help}")?;
    let wide = choices.iter().map(|(when, _)| when.len() + 1).max().unwrap_or_default();
    choices
        .iter()
        .try_for_each(|(when, what)| write!(f, "\n    {:wide$} {what}", format!("{when}:")))
}
