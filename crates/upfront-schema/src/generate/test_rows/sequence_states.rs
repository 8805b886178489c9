//! Where sequences stand, and whether an insert that uses them works.

use std::collections::BTreeMap;

use postgres::error::{DbError, SqlState};
use postgres::{Client, Transaction};
use upfront_scratch::Database;

use crate::{
    catalog::scope::Scope,
    error::{Error, Result},
    generate::test_rows::{
        sample_kind::SampleKind,
        sample_rows::Search,
        sample_values::RowSpec,
        tables::{Column, Table, Tables},
    },
    quote,
    scratch::session,
};

/// The number of the row that is tried; those before it were made up.
const NEXT: u32 = 3;

const SEQUENCES: &str = "
SELECT c.oid, n.nspname::text, c.relname::text, s.seqincrement FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1)";

/// What became of an insert that lets sequences count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    /// It works.
    Works,
    /// It fails, and why, as the server has it.
    Fails(String),
    /// The sequence gave a value that is there already.
    Collides(String),
}

/// Where all sequences stand at one moment, and what an insert into their tables came to.
#[derive(Debug)]
pub struct SequenceStates {
    positions: BTreeMap<u32, Position>,
    inserts: BTreeMap<u32, (String, InsertOutcome)>,
}

#[derive(Debug)]
struct Position {
    name: String,
    /// What it gives next, times the sign of its steps.
    next: i128,
    /// The least that it may give next later on: with shorter steps that is less than now.
    soonest: i128,
    is_rising: bool,
}

impl SequenceStates {
    /// Reads them, and inserts a row that is made up into each table that counts. The row is taken
    /// back; the value of the sequence is not.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn read(database: &Database<'_>, scope: &Scope) -> Result<Self> {
        let mut client = session::open(database)?;
        let positions = positions(&mut client, scope)?;
        let mut inserts = BTreeMap::new();
        if positions.is_empty() {
            return Ok(Self { positions, inserts });
        }
        let tables = Tables::read(&mut client, scope)?;
        let mut transaction = client.transaction().map_err(broken())?;
        for it in tables.all.iter().filter(|it| it.columns.iter().any(Column::counts)) {
            let insert = insert(&mut transaction, it, &tables)?;
            inserts.insert(it.oid, (it.path.clone(), insert));
        }
        Ok(Self { positions, inserts })
    }

    /// The sequences that stand behind where they stood.
    #[must_use]
    pub fn behind(&self, later: &Self) -> Vec<String> {
        let both =
            self.positions.iter().filter_map(|(oid, it)| Some((it, later.positions.get(oid)?)));
        let behind =
            both.filter(|(old, new)| old.is_rising == new.is_rising && new.next < old.soonest);
        behind.map(|(_, new)| new.name.clone()).collect()
    }

    /// The tables whose sequence now gives what is there already, and did not before.
    #[must_use]
    pub fn colliding(&self, later: &Self) -> Vec<String> {
        let collides = |(oid, (table, it)): (&u32, &(String, InsertOutcome))| match it {
            InsertOutcome::Collides(key) if !self.collides(*oid) => {
                Some(format!("{table} ({key})"))
            }
            _ => None,
        };
        later.inserts.iter().filter_map(collides).collect()
    }

    fn collides(&self, table: u32) -> bool {
        matches!(self.inserts.get(&table), Some((_, InsertOutcome::Collides(_))))
    }

    /// The tables that an insert fails for, and why.
    pub fn failing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inserts.values().filter_map(|(table, it)| match it {
            InsertOutcome::Fails(why) => Some((table.as_str(), why.as_str())),
            _ => None,
        })
    }
}

fn broken() -> impl FnOnce(postgres::Error) -> Error {
    Error::postgres("read the sequences")
}

fn positions(client: &mut Client, scope: &Scope) -> Result<BTreeMap<u32, Position>> {
    let rows = client.query(SEQUENCES, &[&scope.without_schemas]).map_err(broken())?;
    let mut all = BTreeMap::new();
    for row in rows {
        let name = quote::qualified(&[row.get(1), row.get(2)]);
        let step: i64 = row.get(3);
        let at = client.query_one(&format!("SELECT last_value, is_called FROM {name}"), &[]);
        let at = at.map_err(broken())?;
        let last = i128::from(at.get::<_, i64>(0));
        let sign = i128::from(step.signum());
        let [next, soonest] = match at.get(1) {
            true => [last + i128::from(step), last + sign],
            false => [last, last],
        };
        let (next, soonest) = (next * sign, soonest * sign);
        all.insert(row.get(0), Position { name, next, soonest, is_rising: step > 0 });
    }
    Ok(all)
}

/// Tries a row, and takes it back.
fn insert(
    transaction: &mut Transaction<'_>,
    table: &Table,
    tables: &Tables,
) -> Result<InsertOutcome> {
    let mut savepoint = transaction.transaction().map_err(broken())?;
    let mut search = Search::new(table, tables, RowSpec { row: NEXT, flavor: SampleKind::Full });
    search.let_count();
    let failure = search.run(&mut savepoint)?;
    savepoint.rollback().map_err(broken())?;
    Ok(match failure {
        None => InsertOutcome::Works,
        Some(err) => match counted_key(table, tables, &err) {
            Some(key) => InsertOutcome::Collides(key),
            None => InsertOutcome::Fails(err.code().code().to_owned()),
        },
    })
}

/// The key that is violated, if a sequence gives all of its values.
fn counted_key(table: &Table, tables: &Tables, err: &DbError) -> Option<String> {
    let name = err.constraint().filter(|_| *err.code() == SqlState::UNIQUE_VIOLATION)?;
    let all = tables.conditions.get(&table.oid)?;
    let key = all.iter().find(|it| it.name.as_deref() == Some(name))?;
    let counts = |number: &i32| table.columns.iter().any(|it| it.number == *number && it.counts());
    (!key.columns.is_empty() && key.columns.iter().all(counts)).then(|| name.to_owned())
}
