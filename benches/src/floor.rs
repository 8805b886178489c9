//! A boot by hand: what anybody would write who wants no more than this.

use postgres_protocol::escape::escape_literal;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow, error::SqlState};

use crate::{
    Result,
    set::{File, Set},
};

const CREATE: &str = "CREATE TABLE history (version text PRIMARY KEY, name text NOT NULL, hash \
     text NOT NULL, sql text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
const EVERY_ROW: &str = "SELECT version, hash FROM history ORDER BY version";
const LAST_ROW: &str = "SELECT version, hash FROM history ORDER BY version DESC LIMIT 1";

/// How a floor looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// All versions and hashes are compared: what keeps an edited history from going unnoticed.
    EveryRow,
    /// The newest version and hash.
    LastRow,
}

/// How a floor applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apply {
    /// `BEGIN`, body, row and `COMMIT` at once.
    OneMessage,
    /// `BEGIN`, and when it is answered the rest.
    TwoMessages,
}

pub(crate) async fn up(client: &Client, set: &Set, look: Look, apply: Apply) -> Result<()> {
    let done = self::look(client, set, look).await?;
    if done.is_none() {
        client.batch_execute(CREATE).await?;
    }
    for it in &set.files[done.unwrap_or_default()..] {
        let rest = format!("{};{}COMMIT", it.sql, insert(it));
        match apply {
            Apply::OneMessage => client.batch_execute(&format!("BEGIN;{rest}")).await?,
            Apply::TwoMessages => {
                client.batch_execute("BEGIN").await?;
                client.batch_execute(&rest).await?;
            }
        }
    }
    Ok(())
}

/// How many are applied; `None` where there is no table.
async fn look(client: &Client, set: &Set, look: Look) -> Result<Option<usize>> {
    let sql = match look {
        Look::EveryRow => EVERY_ROW,
        Look::LastRow => LAST_ROW,
    };
    let answer = match client.simple_query(sql).await {
        Err(err) if err.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        other => other?,
    };
    let rows = answer.iter().filter_map(|it| match it {
        SimpleQueryMessage::Row(it) => Some(it),
        _ => None,
    });
    let mut done = 0;
    for row in rows {
        done = match look {
            Look::EveryRow => done + 1,
            Look::LastRow => set.files.len(),
        };
        if !is_row_of(row, &set.files[done - 1]) {
            return Err("the history is another one".into());
        }
    }
    Ok(Some(done))
}

fn is_row_of(row: &SimpleQueryRow, it: &File) -> bool {
    row.get(0) == Some(&it.version) && row.get(1) == Some(&it.hash)
}

fn insert(it: &File) -> String {
    let [version, name, hash, sql] =
        [&it.version, &it.name, &it.hash, &it.sql].map(|it| escape_literal(it));
    format!("INSERT INTO history (version,name,hash,sql) VALUES ({version},{name},{hash},{sql});")
}
