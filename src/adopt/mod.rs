//! Moving in: what was applied before upfront becomes the beginning of its history.

pub(crate) mod atlas;
pub(crate) mod report;
pub(crate) mod sqlx;

use deadpool_postgres::Pool;
use tokio_postgres::error::SqlState;
use upfront_directory::Sum;

use crate::{
    Direction, Report, Result,
    adopt::report::AdoptReport,
    connection::{
        server_info::WriteAccess,
        session::{self, Session},
        session_settings::{SettingScope, prologue, target},
        sql::PINNED,
    },
    embedded::title,
    error::{Details, Error, adopt_error::AdoptError},
    execute::{
        attempt::{self, WaitMode},
        context::Context,
        lock::Wait,
        up,
    },
    history::{
        other_tools::{self, PathSource},
        revisions::{self, history},
    },
    migrations::find,
    plan::{
        external_history::{ExternalHistory, Source},
        foreign_history::{ForeignHistory, Tool},
        history::History,
        metadata::Tables,
        rows::Head,
    },
};

const DOING: &str = "reading another tool's history";

/// Who says what was applied.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BaselineSource<'a> {
    /// Another tool's table: this one, or the only one.
    Table { sum: &'a Sum, name: Option<&'a str> },
    /// A person: everything up to a version.
    Person { version: &'a str },
}

/// What [`adopt`] would do. Reads only.
pub(crate) async fn plan(
    pool: &Pool,
    context: &Context<'_>,
    witness: BaselineSource<'_>,
) -> Result<AdoptReport> {
    let session = Session::take(pool, context.settings.wait_timeout).await?;
    let past = look(context, &session, witness).await;
    let past = session.close(past).await?;
    Ok(AdoptReport::of(context.app, &past, false))
}

/// Writes the beginning of a history.
///
/// First everything is looked at without a lock, so that a refusal leaves nothing, not even
/// upfront's own tables; then again under the locks of both tools, in the transaction that writes.
pub(crate) async fn adopt(
    pool: &Pool,
    context: &Context<'_>,
    witness: BaselineSource<'_>,
) -> Result<AdoptReport> {
    let session = Session::take(pool, context.settings.wait_timeout).await?;
    let adopted = adopt_with(context, &session, witness).await;
    session.close(adopted).await
}

async fn adopt_with(
    context: &Context<'_>,
    session: &Session,
    witness: BaselineSource<'_>,
) -> Result<AdoptReport> {
    look(context, session, witness).await?;
    refuse_read_only(session)?;
    make_own_tables(context, session).await?;
    let mut report = Report::new(context.app, Direction::Up);
    let begun =
        attempt::begin(context, session, &mut Wait::new(), &mut report, WaitMode::UntilUpToDate)
            .await?;
    if begun.is_none() {
        // Another process has migrated the database, so it has a history now.
        look(context, session, witness).await?;
        return Err(Details::Unexpected { doing: "asking for the migration lock" }.into());
    }
    let past = past(context, session, witness).await?;
    refuse_running(session, &past).await?;
    record(context, session, &past).await?;
    Ok(AdoptReport::of(context.app, &past, true))
}

/// Reads in a transaction of its own.
async fn look(
    context: &Context<'_>,
    session: &Session,
    witness: BaselineSource<'_>,
) -> Result<ExternalHistory> {
    let prologue = prologue(context.settings, &session.facts, None, SettingScope::Transaction);
    let sql = format!("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;{prologue}");
    session.set_open(true);
    session::ask(session.client(), &sql)
        .await
        .map_err(|source| attempt::begin_failed(context, session, DOING, source))?;
    let past = past(context, session, witness).await?;
    session.roll_back("ending a transaction").await?;
    Ok(past)
}

fn refuse_read_only(session: &Session) -> Result<()> {
    match session.facts.writes {
        WriteAccess::Allowed => Ok(()),
        WriteAccess::ReadOnly => {
            Err(Details::Adopt(AdoptError::ReadOnly { standby: false }).into())
        }
        WriteAccess::Standby => Err(Details::Adopt(AdoptError::ReadOnly { standby: true }).into()),
    }
}

async fn make_own_tables(context: &Context<'_>, session: &Session) -> Result<()> {
    let mut settings = context.settings.clone();
    settings.foreign.ignores_all = true;
    up::migrate_metadata(&Context::new(context.set, &settings), session).await
}

/// What was applied; needs a transaction.
async fn past(
    context: &Context<'_>,
    session: &Session,
    witness: BaselineSource<'_>,
) -> Result<ExternalHistory> {
    let begun = history_of(context, session).await?;
    match witness {
        BaselineSource::Table { sum, name } => {
            refuse_history(context, &begun)?;
            let source = match name {
                Some(it) => named(session, it).await?,
                None => only(context, session).await?,
            };
            read(context, session, sum, source).await
        }
        BaselineSource::Person { version } => {
            baseline(context, &begun, find(context.set, version)?)
        }
    }
}

/// A baseline may go on a history of this directory's first migrations: the first boot on a
/// database that was restored stops where a table is there already, behind those that found
/// nothing in their way.
fn baseline(context: &Context<'_>, begun: &History, at: usize) -> Result<ExternalHistory> {
    let Some(newest) = begun.rows.last().filter(|_| begun.journal.is_empty()) else {
        refuse_history(context, begun)?;
        return Ok(ExternalHistory::up_to(context.set, at, 0, Head::start()));
    };
    context.plan(begun)?;
    let recorded = context.set.migrations.partition_point(|it| *it.version <= *newest.version);
    match recorded <= at {
        true => {
            let after = Head { version: newest.version.clone(), chain: newest.chain.clone() };
            Ok(ExternalHistory::up_to(context.set, at, recorded, after))
        }
        false => Err(not_empty(context, newest.title())),
    }
}

/// upfront's own history, which may have no table yet.
async fn history_of(context: &Context<'_>, session: &Session) -> Result<History> {
    let doing = "reading the history";
    let answer = session.ask(doing, &context.revisions.exists()).await?;
    if answer.row("upfront_exists").and_then(|it| it.get(1)) != Some("t") {
        return Ok(History::default());
    }
    context.revisions.trust.diagnose_in_transaction(session.client()).await?;
    let sql =
        format!("SAVEPOINT upfront;{};ROLLBACK TO upfront", context.revisions.rows(Tables::Old));
    let answer = session::ask(session.client(), &sql)
        .await
        .map_err(|source| attempt::begin_failed(context, session, doing, source))?;
    Ok(history(&answer).ok_or(Details::Unexpected { doing })?)
}

/// A history has one beginning.
fn refuse_history(context: &Context<'_>, it: &History) -> Result<()> {
    let newest = it.rows.last().map(|it| title(&it.version, &it.name));
    let begun = it.journal.last().map(|it| it.version.clone());
    match newest.or(begun).or(it.lost.last().cloned()) {
        Some(newest) => Err(not_empty(context, newest)),
        None => Ok(()),
    }
}

fn not_empty(context: &Context<'_>, newest: String) -> Error {
    Details::Adopt(AdoptError::NotEmpty { app: context.app.to_owned(), newest }).into()
}

/// The table that was named, by its columns.
async fn named(session: &Session, name: &str) -> Result<Source> {
    let refusal = match other_tools::named(session.client(), name).await? {
        Some((table, Some(tool))) => return Ok(Source { table, tool }),
        Some((table, None)) => AdoptError::NotAHistory(table),
        None => AdoptError::NoTable(name.to_owned()),
    };
    Err(Details::Adopt(refusal).into())
}

/// The only table that can be taken over: of those that concern the program, else of all.
async fn only(context: &Context<'_>, session: &Session) -> Result<Source> {
    let all =
        other_tools::find(context.settings, session.client(), PathSource::Transaction).await?;
    let (mut ours, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.adoptable);
    if ours.is_empty() {
        ours = other_tools::find_anywhere(context.settings, session.client()).await?;
        ours.retain(|it| it.adoptable);
    }
    let refusal = match (ours.len(), others.is_empty()) {
        (0, true) => AdoptError::Nothing,
        (0, false) => AdoptError::Unsupported(others),
        (1, _) => {
            let ForeignHistory { table, tool, .. } = ours.remove(0);
            let tool = Tool::of(&tool).expect("those of other tools were set apart");
            return Ok(Source { table, tool });
        }
        _ => AdoptError::Several(ours),
    };
    Err(Details::Adopt(refusal).into())
}

/// Reads another tool's table and compares it with the directory.
async fn read(
    context: &Context<'_>,
    session: &Session,
    sum: &Sum,
    source: Source,
) -> Result<ExternalHistory> {
    let set = context.set;
    let sql = match source.tool {
        Tool::Atlas => atlas::rows_of(&source.table),
        Tool::Sqlx => sqlx::rows_of(&source.table),
    };
    let answer = session::ask(
        session.client(),
        &format!("SAVEPOINT upfront;{PINNED}{sql};ROLLBACK TO upfront"),
    )
    .await
    .map_err(|err| unreadable(context, session, &source, err))?;
    let unexpected = Details::Unexpected { doing: DOING };
    let compared = match source.tool {
        Tool::Atlas => {
            let rows = atlas::read(&answer).ok_or(unexpected)?;
            (!rows.is_empty()).then(|| atlas::compare(set, sum, &rows, &source.table))
        }
        Tool::Sqlx => {
            let rows = sqlx::read(&answer).ok_or(unexpected)?;
            (!rows.is_empty()).then(|| sqlx::compare(set, &rows, &source.table))
        }
    };
    let compared = compared.ok_or_else(|| Details::Adopt(AdoptError::Empty(source.clone())))?;
    let label = set.label;
    compared.map_err(|found| Details::Adopt(AdoptError::Differs { source, label, found }).into())
}

fn unreadable(
    context: &Context<'_>,
    session: &Session,
    source: &Source,
    err: tokio_postgres::Error,
) -> Error {
    match err.code() {
        Some(it) if *it == SqlState::INSUFFICIENT_PRIVILEGE => {
            context.table_denied(DOING, &err, session, &source.table)
        }
        _ => Details::Server { doing: DOING, source: err }.into(),
    }
}

/// Takes the other tool's own lock, for this transaction: what it is about to do is in no row yet.
async fn refuse_running(session: &Session, past: &ExternalHistory) -> Result<()> {
    let Some(source) = &past.source else { return Ok(()) };
    let doing = "asking for the other tool's lock";
    let key = match source.tool {
        Tool::Atlas => atlas::LOCK,
        Tool::Sqlx => sqlx::lock(&session.facts.database),
    };
    let sql = format!("SELECT pg_catalog.pg_try_advisory_xact_lock({key}) AS upfront_locked");
    let answer = session.ask(doing, &sql).await?;
    if answer.row("upfront_locked").and_then(|it| it.get(0)) == Some("t") {
        return Ok(());
    }
    let answer = session.ask(doing, &revisions::holder(key)).await?;
    let holder = answer.row("upfront_pid").and_then(session::holder);
    Err(Details::Adopt(AdoptError::Running { source: source.clone(), holder }).into())
}

/// Writes all rows, in the transaction that has the locks.
async fn record(context: &Context<'_>, session: &Session, past: &ExternalHistory) -> Result<()> {
    let doing = "recording what was applied before";
    let newest = past.old.last().map_or("", |it| it.migration.version);
    let message = match &past.source {
        Some(it) => format!("adopted from {}", it.table),
        None => format!("baseline {newest}"),
    };
    let rows = context.revisions.baseline(&past.after, &past.old, &message);
    let target = target(context.settings, SettingScope::Transaction);
    session::ask(session.client(), &format!("{target}{rows}COMMIT"))
        .await
        .map(|_| session.set_open(false))
        .map_err(|source| attempt::begin_failed(context, session, doing, source))
}
