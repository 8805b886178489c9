//! Indexes that could not be built: what stays of them, and what is in the way.

use postgres_protocol::escape::escape_literal;

use crate::{
    Result,
    connection::{
        session::{self, Session},
        sql::{PINNED, named},
    },
};

const ASKING: &str = "asking the catalog about an index that could not be built";

/// An index that stays invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) oid: u32,
    /// Quoted and qualified.
    pub(crate) name: String,
}

impl Invalid {
    pub(crate) fn drop(&self) -> String {
        format!("DROP INDEX CONCURRENTLY {}", self.name)
    }
}

const SELECT: &str = "SELECT c.oid AS upfront_invalid, format('%I.%I', n.nspname, c.relname) FROM \
     pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = \
     c.relnamespace WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT EXISTS (SELECT FROM \
     pg_stat_progress_create_index p WHERE p.index_relid = c.oid AND p.pid <> pg_backend_pid())";

/// Those of a table, by its oid, that nobody is building.
pub(crate) async fn of_table(session: &Session, table: &str) -> Result<Vec<Invalid>> {
    read(session, &format!("{PINNED}{SELECT} AND i.indrelid = {table}")).await
}

/// The one with this oid, if it is still there and invalid.
pub(crate) async fn with_oid(session: &Session, oid: u32) -> Result<Option<Invalid>> {
    Ok(read(session, &format!("{PINNED}{SELECT} AND c.oid = {oid}")).await?.pop())
}

async fn read(session: &Session, sql: &str) -> Result<Vec<Invalid>> {
    let answer = session.ask(ASKING, sql).await?;
    let index = |it: &tokio_postgres::SimpleQueryRow| {
        Some(Invalid { oid: it.get(0)?.parse().ok()?, name: it.get(1)?.to_owned() })
    };
    Ok(named(&answer, "upfront_invalid").filter_map(index).collect())
}

/// A key that several rows have, in the server's words; `None` if there is no such key, or if it
/// cannot be determined.
///
/// The index itself says which columns, and of which rows.
pub(crate) async fn duplicate(session: &Session, index: &Invalid) -> Option<String> {
    let oid = index.oid;
    let definition = format!(
        "{PINNED}SELECT string_agg(pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY k) AS \
         upfront_keys, i.indrelid::regclass, coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'), \
         coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) FROM pg_index i, \
         generate_series(1, i.indnkeyatts) k WHERE i.indexrelid = {oid} AND i.indisunique GROUP BY i.*, \
         i.indexrelid, i.indrelid, i.indpred"
    );
    let answer = session::ask(session.client(), &definition).await.ok()?;
    let row = answer.row("upfront_keys")?;
    let (keys, table, rows, nulls) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let not_null = if nulls == "t" { "true".into() } else { format!("num_nulls({keys}) = 0") };
    let label = escape_literal(keys);
    let sql = format!(
        "{PINNED}SELECT format('Key (%s)=(%s) is duplicated: %s rows have it.', {label}, \
         concat_ws(', ', {keys}), count(*)) AS upfront_duplicate FROM {table} WHERE ({rows}) AND \
         {not_null} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"
    );
    let answer = session::ask(session.client(), &sql).await.ok()?;
    answer.row("upfront_duplicate").and_then(|it| it.get(0)).map(str::to_owned)
}
