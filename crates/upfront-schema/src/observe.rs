//! What a statement locks and rewrites, as the server tells while its transaction is open.

use std::collections::HashMap;

use postgres::Transaction;

use crate::error::{Error, Result};

/// The tables that are there, by number: name and file.
const TABLES: &str = "
SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relfilenode
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.oid >= 16384 AND n.nspname !~ '^pg_'";

const LOCKS: &str = "
SELECT l.relation, l.mode, c.relfilenode FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
WHERE l.locktype = 'relation' AND l.pid = pg_catalog.pg_backend_pid() AND l.granted
  AND l.relation >= 16384";

/// From the weakest to the strongest, by the names of the view and of the manual.
const MODES: [(&str, &str); 8] = [
    ("AccessShareLock", "ACCESS SHARE"),
    ("RowShareLock", "ROW SHARE"),
    ("RowExclusiveLock", "ROW EXCLUSIVE"),
    ("ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"),
    ("ShareLock", "SHARE"),
    ("ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"),
    ("ExclusiveLock", "EXCLUSIVE"),
    ("AccessExclusiveLock", "ACCESS EXCLUSIVE"),
];

/// What a statement was seen to hold on a table that was there before its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The table, as SQL names it.
    pub table: String,
    /// As the manual names it: `ACCESS EXCLUSIVE`.
    pub mode: &'static str,
    /// Whether the statement gave the table another file, which takes time and twice the space.
    pub rewrites: bool,
}

struct Table {
    name: String,
    file: u32,
    strongest: Option<usize>,
}

/// Watches a transaction from its beginning.
pub(crate) struct Observer(HashMap<u32, Table>);

impl Observer {
    pub(crate) fn start(transaction: &mut Transaction<'_>) -> Result<Self> {
        let rows = transaction.query(TABLES, &[]).map_err(Error::postgres("list the tables"))?;
        let table = |it: &postgres::Row| {
            (it.get(0), Table { name: it.get(1), file: it.get(2), strongest: None })
        };
        Ok(Self(rows.iter().map(table).collect()))
    }

    /// What the last statement took that the transaction did not have before.
    pub(crate) fn look(&mut self, transaction: &mut Transaction<'_>) -> Result<Vec<Lock>> {
        let rows = transaction.query(LOCKS, &[]).map_err(Error::postgres("read the locks"))?;
        let mut found: HashMap<u32, (usize, Option<u32>)> = HashMap::new();
        for row in &rows {
            let mode = MODES.iter().position(|(name, _)| *name == row.get::<_, &str>(1));
            let entry = found.entry(row.get(0)).or_insert((0, row.get(2)));
            entry.0 = entry.0.max(mode.unwrap_or(0));
        }
        let mut locks: Vec<_> = found
            .into_iter()
            .filter_map(|(table, (mode, file))| self.take(table, mode, file))
            .collect();
        locks.sort_by(|a, b| a.table.cmp(&b.table));
        Ok(locks)
    }

    fn take(&mut self, table: u32, mode: usize, file: Option<u32>) -> Option<Lock> {
        let it = self.0.get_mut(&table)?;
        let rewrites = file.is_some_and(|file| file != it.file);
        let is_news = it.strongest.is_none_or(|held| held < mode) || rewrites;
        it.strongest = it.strongest.max(Some(mode));
        it.file = file.unwrap_or(it.file);
        is_news.then(|| Lock { table: it.name.clone(), mode: MODES[mode].1, rewrites })
    }
}
