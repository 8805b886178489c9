//! Advice where the first migrations find what they make: the database was restored without its
//! history, or made by hand.

use std::fmt::Write;

use tokio_postgres::error::{DbError, SqlState};

use crate::{
    Direction,
    builder::Settings,
    connection::session::{self, Session},
    embedded::Migration,
    execute::context::Context,
};

/// With more rows than these a history has begun, and a table in the way is something else.
const FIRST: usize = 5;

/// What to do about a table, a type, a column … that exists already.
pub(crate) async fn advice(
    context: &Context<'_>,
    session: &Session,
    direction: Direction,
    err: &DbError,
) -> Option<String> {
    if direction == Direction::Down || context.is_metadata || !exists_already(err) {
        return None;
    }
    let answer = session::ask(session.client(), &context.revisions.count()).await.ok()?;
    let rows: usize = answer.row("upfront_count")?.get(0)?.parse().ok()?;
    let newest = context.set.migrations.last().filter(|_| rows < FIRST)?;
    Some(format!(
        "if the database was restored without its history, or made by hand, mark what it has as \
         applied: `{}` compares the schema first; name an older version if it has no more",
        command(newest, context.settings)
    ))
}

fn exists_already(err: &DbError) -> bool {
    // Roles are the whole server's, and no dump of a database has them.
    let is_role = err.routine() == Some("CreateRole");
    let codes = [
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_COLUMN,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_FUNCTION,
    ];
    codes.contains(err.code()) && !is_role
}

/// The command for this app and this schema, as a shell reads it.
fn command(newest: &Migration, settings: &Settings) -> String {
    let usual = Settings::default();
    let mut command = format!("upfront baseline {}", newest.version);
    for (option, value, usual) in
        [("app", &settings.app, &usual.app), ("schema", &settings.schema, &usual.schema)]
    {
        if value != usual {
            let _ = write!(command, " --{option} {}", quoted(value));
        }
    }
    command
}

fn quoted(word: &str) -> String {
    match word.chars().all(|it| it.is_alphanumeric() || "-_.".contains(it)) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
