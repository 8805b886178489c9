//! The locks, scans and rewrites of a statement, observed while its transaction is open.

use std::collections::{BTreeMap, HashMap};

use postgres::{Client, Row, Transaction};

use crate::error::{Error, Result};

/// The tables that are there, by number.
const TABLES: &str = "
SELECT c.oid, format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.oid >= 16384 AND n.nspname !~ '^pg_'";

/// Their files, with those of their indexes, and how often each was read from its beginning. The
/// server counts for the session.
const STATES: &str = "
SELECT c.oid, c.relfilenode::int8::text || coalesce((SELECT string_agg(
    format(' %s %s', i.oid, i.relfilenode), '' ORDER BY i.oid)
  FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  WHERE x.indrelid = c.oid), ''), pg_catalog.pg_stat_get_xact_numscans(c.oid)
FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1)";

const LOCKS: &str = "
SELECT l.relation, l.mode FROM pg_catalog.pg_locks l
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

/// From here on writers wait.
const SHARE: usize = 4;

/// What a statement holds on a table that was there before its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The table, as SQL names it.
    pub table: String,
    /// As the manual names it: `ACCESS EXCLUSIVE`.
    pub mode: &'static str,
    /// Whether the statement gave the table or an index of it another file, which takes time and
    /// twice the space.
    pub rewrites: bool,
    /// Whether the statement read all rows.
    pub scans: bool,
    /// Whether this is from the manual: a statement outside of a transaction cannot be
    /// watched.
    pub documented: bool,
}

impl Lock {
    /// What the manual says of a `CONCURRENTLY`.
    pub(crate) fn concurrent(table: &str) -> Self {
        let table = table.to_owned();
        let mode = "SHARE UPDATE EXCLUSIVE";
        Self { table, mode, rewrites: false, scans: true, documented: true }
    }

    /// Whether programs that write wait for as long as all rows are read.
    pub(crate) fn keeps_waiting(&self) -> bool {
        let at = MODES.iter().position(|(_, mode)| *mode == self.mode);
        self.scans && at.is_some_and(|at| at >= SHARE)
    }
}

struct Table {
    name: String,
    /// Those of the table, and of its indexes by their numbers.
    files: Files,
    scans: i64,
    strongest: Option<usize>,
}

/// The file of the table, and those of its indexes by their numbers.
#[derive(Clone, Default, PartialEq, Eq)]
struct Files(String, BTreeMap<String, String>);

/// Watches the transactions of a plan.
pub(crate) struct Observer(HashMap<u32, Table>);

impl Observer {
    /// Notes the tables that are there.
    pub(crate) fn of(client: &mut Client) -> Result<Self> {
        let rows = client.query(TABLES, &[]).map_err(Error::postgres("list the tables"))?;
        let table = |it: &Row| {
            let files = Files::default();
            (it.get(0), Table { name: it.get(1), files, scans: 0, strongest: None })
        };
        Ok(Self(rows.iter().map(table).collect()))
    }

    /// A transaction begins.
    pub(crate) fn begin(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        for (oid, files, scans) in self.states(transaction)? {
            if let Some(it) = self.0.get_mut(&oid) {
                (it.files, it.scans, it.strongest) = (files, scans, None);
            }
        }
        Ok(())
    }

    /// What the last statement took that the transaction did not have before, and what it did.
    pub(crate) fn look(&mut self, transaction: &mut Transaction<'_>) -> Result<Vec<Lock>> {
        let held = self.held(transaction)?;
        let touched: Vec<u32> = held.keys().copied().collect();
        if touched.is_empty() {
            return Ok(Vec::new());
        }
        let states = states(transaction, &touched)?;
        let mut states: HashMap<_, _> =
            states.into_iter().map(|(oid, files, scans)| (oid, (files, scans))).collect();
        let mut locks: Vec<_> = held
            .into_iter()
            .filter_map(|(oid, mode)| self.take(oid, mode, states.remove(&oid)))
            .collect();
        locks.sort_by(|a, b| a.table.cmp(&b.table));
        Ok(locks)
    }

    fn states(&self, transaction: &mut Transaction<'_>) -> Result<Vec<State>> {
        let all: Vec<u32> = self.0.keys().copied().collect();
        states(transaction, &all)
    }

    /// The strongest lock on each table.
    fn held(&self, transaction: &mut Transaction<'_>) -> Result<HashMap<u32, usize>> {
        let rows = transaction.query(LOCKS, &[]).map_err(Error::postgres("read the locks"))?;
        let mut held: HashMap<u32, usize> = HashMap::new();
        for row in rows.iter().filter(|it| self.0.contains_key(&it.get(0))) {
            let mode = MODES.iter().position(|(name, _)| *name == row.get::<_, &str>(1));
            let strongest = held.entry(row.get(0)).or_default();
            *strongest = (*strongest).max(mode.unwrap_or(0));
        }
        Ok(held)
    }

    fn take(&mut self, oid: u32, mode: usize, state: Option<(Files, i64)>) -> Option<Lock> {
        let it = self.0.get_mut(&oid)?;
        let (files, count) = state.unwrap_or_else(|| (it.files.clone(), it.scans));
        let (rewrites, scans) = (it.files.is_rewritten(&files), count > it.scans);
        let is_news = it.strongest.is_none_or(|held| held < mode) || rewrites || scans;
        it.strongest = it.strongest.max(Some(mode));
        (it.files, it.scans) = (files, count);
        let strongest = it.strongest.unwrap_or(mode);
        let lock = || Lock {
            table: it.name.clone(),
            mode: MODES[strongest].1,
            rewrites,
            scans,
            documented: false,
        };
        is_news.then(lock)
    }
}

type State = (u32, Files, i64);

fn states(transaction: &mut Transaction<'_>, of: &[u32]) -> Result<Vec<State>> {
    let rows = transaction.query(STATES, &[&of]).map_err(Error::postgres("read the files"))?;
    Ok(rows.iter().map(|it| (it.get(0), Files::read(it.get(1)), it.get(2))).collect())
}

impl Files {
    fn read(text: &str) -> Self {
        let mut words = text.split(' ').map(str::to_owned);
        let own = words.next().unwrap_or_default();
        let mut indexes = BTreeMap::new();
        while let (Some(index), Some(file)) = (words.next(), words.next()) {
            indexes.insert(index, file);
        }
        Self(own, indexes)
    }

    /// Whether the table, or an index that was there, has another file.
    fn is_rewritten(&self, later: &Self) -> bool {
        let both = self.1.iter().filter_map(|(it, file)| Some((file, later.1.get(it)?)));
        self.0 != later.0 || both.into_iter().any(|(old, new)| old != new)
    }
}
