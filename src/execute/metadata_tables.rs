//! upfront's own tables: migrations of the app `upfront`, applied by the same code as the user's.

use crate::{
    NewerDatabase, Result,
    builder::Settings,
    connection::{answer::Answer, session::Session, session_settings},
    error::Details,
    execute::{
        context::Context,
        lock::{self, LockAttempt},
    },
    history::other_tools::{self, PathSource},
    plan::rows::Head,
};

/// Their SQL names no schema: the search path does.
pub(crate) fn settings(of: &Settings) -> Settings {
    Settings {
        // Last, as else a temporary table would stand before a real one of its name.
        search_path: Some(vec![of.schema.clone(), "pg_temp".to_owned()]),
        program_path: session_settings::search_path(of),
        on_newer_database: NewerDatabase::Accept,
        statement_timeout: None,
        on_event: None,
        ..of.clone()
    }
}

/// Reads the answer of a `begin`, where schema and tables may not be there: makes the schema, and
/// reads the head only from a table.
pub(crate) async fn begun(
    context: &Context<'_>,
    session: &Session,
    answer: &Answer,
) -> Result<Option<LockAttempt>> {
    let doing = "making upfront's own tables";
    let exists = answer.row("upfront_exists").ok_or(Details::Unexpected { doing })?;
    let (schema, table) = (exists.get(0) == Some("t"), exists.get(1) == Some("t"));
    let Some(LockAttempt::Locked(mut transaction)) = lock::begun(answer) else {
        return Ok(lock::begun(answer));
    };
    if !table {
        other_tools::refuse(context.settings, session.client(), PathSource::Captured).await?;
    }
    if schema {
        context.revisions.trust.diagnose_in_transaction(session.client()).await?;
    } else {
        let made =
            crate::connection::session::ask(session.client(), &context.revisions.create_schema())
                .await;
        made.map_err(|source| match source.code() {
            Some(it) if *it == tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE => {
                context.schema_denied(&source, session)
            }
            _ => Details::Server { doing, source }.into(),
        })?;
    }
    transaction.head = match table {
        true => head(context, session).await?,
        false => Head::start(),
    };
    Ok(Some(LockAttempt::Locked(transaction)))
}

async fn head(context: &Context<'_>, session: &Session) -> Result<Head> {
    let answer = session.ask("reading the history", &context.revisions.head()).await?;
    Ok(lock::head(&answer))
}
