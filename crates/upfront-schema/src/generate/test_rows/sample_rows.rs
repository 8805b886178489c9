//! Rows that are made up, and how one is found that a table takes.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Transaction;
use postgres::error::{DbError, SqlState};
use upfront_scratch::Database;

use crate::{
    catalog::scope::Scope,
    error::{Error, Result},
    generate::test_rows::{
        sample_kind::SampleKind,
        sample_values::{RowSpec, candidates},
        tables::{Column, Condition, Default, Reference, Table, Tables},
    },
    quote,
    scratch::session,
};

/// The rows of each table, so that it gets some where a value may be NULL and some where not.
const ROWS: u32 = 2;

/// How many rows are tried before a table is left without.
const TRIES: usize = 40;

/// What came of seeding.
#[derive(Debug)]
pub struct SampleRows {
    /// How many tables have rows.
    pub tables: usize,
    /// Those that have none.
    pub without: Vec<UnseededTable>,
}

/// A table that took no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnseededTable {
    /// Its name.
    pub table: String,
    /// Why, as the server has it.
    pub sqlstate: String,
}

impl SampleRows {
    /// Puts rows into every table that takes them, and lets every sequence count.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn fill(database: &Database<'_>, flavor: SampleKind, scope: &Scope) -> Result<Self> {
        let mut client = session::open(database)?;
        let tables = Tables::read(&mut client, scope)?;
        let mut transaction = client.transaction().map_err(broken())?;
        let mut open: Vec<_> = tables.all.iter().collect();
        let mut without = Vec::new();
        while !open.is_empty() {
            without.clear();
            let before = open.len();
            let mut left = Vec::new();
            for it in open {
                if let Some(why) = seed(&mut transaction, it, &tables, flavor)? {
                    without.push(UnseededTable { table: it.path.clone(), sqlstate: why });
                    left.push(it);
                }
            }
            open = left;
            if open.len() == before {
                break;
            }
        }
        count(&mut transaction, scope)?;
        transaction.commit().map_err(broken())?;
        let own = tables.all.iter().filter(|it| !it.is_of_setup);
        let has_rows = |it: &&Table| !without.iter().any(|other| other.table == it.path);
        Ok(Self { tables: own.filter(has_rows).count(), without })
    }
}

fn broken() -> impl FnOnce(postgres::Error) -> Error {
    Error::postgres("make rows")
}

const COUNT: &str = "
SELECT count(nextval(c.oid::regclass)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1)
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
  AND d.deptype IN ('a', 'i', 'e'))";

/// Sequences that no column owns; one that is at its end is left there.
fn count(transaction: &mut Transaction<'_>, scope: &Scope) -> Result<()> {
    let mut savepoint = transaction.transaction().map_err(broken())?;
    match savepoint.query(COUNT, &[&scope.without_schemas]) {
        Ok(_) => savepoint.commit().map_err(broken()),
        Err(err) if err.as_db_error().is_some() => Ok(()),
        Err(err) => Err(broken()(err)),
    }
}

/// Inserts rows into a table. Returns the SQLSTATE if it stays empty.
fn seed(
    transaction: &mut Transaction<'_>,
    table: &Table,
    tables: &Tables,
    flavor: SampleKind,
) -> Result<Option<String>> {
    let (mut made, mut why) = (0, None);
    for row in 1..=ROWS {
        let wish = RowSpec { row, flavor };
        let sparse_first = flavor == SampleKind::Mixed && row % 2 == 0;
        for is_sparse in [sparse_first, !sparse_first] {
            let mut search = Search::new(table, tables, wish);
            if is_sparse {
                search.leave_out();
            }
            match search.run(transaction)? {
                None => {
                    made += 1;
                    break;
                }
                Some(err) => why = Some(err.code().code().to_owned()),
            }
        }
    }
    match why {
        Some(why) if made == 0 && is_empty(transaction, table)? => Ok(Some(why)),
        _ => Ok(None),
    }
}

/// A migration may have put rows there.
fn is_empty(transaction: &mut Transaction<'_>, table: &Table) -> Result<bool> {
    let sql = format!("SELECT NOT EXISTS (SELECT FROM {})", table.path);
    let row = transaction.query_one(&sql, &[]).map_err(broken())?;
    Ok(row.get(0))
}

/// One row that is changed until the table takes it.
pub(super) struct Search<'a> {
    table: &'a Table,
    conditions: &'a [Condition],
    slots: Vec<Slot<'a>>,
}

/// Columns that get their values together: those of a foreign key, or one alone.
struct Slot<'a> {
    columns: Vec<&'a Column>,
    /// The name of the foreign key.
    key: Option<&'a str>,
    /// For each try the values of the columns.
    candidates: Vec<Vec<String>>,
    /// Which of them; none leaves the columns out.
    at: Option<usize>,
    /// Whether the columns can be left out.
    may_be_out: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(table: &'a Table, tables: &'a Tables, wish: RowSpec) -> Self {
        let references = tables.references.get(&table.oid).map(Vec::as_slice).unwrap_or_default();
        let conditions = tables.conditions.get(&table.oid).map(Vec::as_slice).unwrap_or_default();
        let mut taken = BTreeSet::new();
        let mut slots = Vec::new();
        for it in references {
            let is_own = |column: &&Column| it.own.contains(&column.number);
            let columns: Vec<_> = table.columns.iter().filter(is_own).collect();
            if it.own.iter().all(|it| !taken.contains(it)) && columns.iter().all(|it| it.is_open())
            {
                taken.extend(it.own.iter().copied());
                slots.push(Slot::of_reference(it, columns, wish));
            }
        }
        for it in table.columns.iter().filter(|it| !taken.contains(&it.number) && it.is_open()) {
            slots.push(Slot::of_column(it, candidates(it, conditions, &tables.types, wish), wish));
        }
        Self { table, conditions, slots }
    }

    /// Lets columns be NULL that may be.
    fn leave_out(&mut self) {
        let optional = |it: &&mut Slot<'_>| it.columns.iter().all(|it| !it.not_null);
        self.slots.iter_mut().filter(optional).for_each(|it| it.at = None);
    }

    /// Keeps what counts on by a sequence from getting other values.
    pub(super) fn let_count(&mut self) {
        self.slots.retain(|it| it.columns.iter().all(|it| !it.counts()));
    }

    /// Tries one row after the other; why none fits.
    pub(super) fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<Option<DbError>> {
        for _ in 0..TRIES {
            let Some(err) = attempt(transaction, &self.insert())? else { return Ok(None) };
            let culprits = self.culprits(transaction, &err)?;
            if !self.next(&culprits) {
                return Ok(Some(err));
            }
        }
        attempt(transaction, &self.insert())
    }

    fn insert(&self) -> String {
        self.insert_with(&BTreeMap::new())
    }

    /// The same with other expressions for some columns, by their numbers.
    pub(super) fn insert_with(&self, others: &BTreeMap<i32, String>) -> String {
        let mut row = others.clone();
        for it in &self.slots {
            for (column, value) in
                it.columns.iter().zip(it.at.map_or(&[][..], |at| &it.candidates[at]))
            {
                row.entry(column.number).or_insert_with(|| value.clone());
            }
        }
        let given = self.table.columns.iter().filter_map(|it| Some((it, row.get(&it.number)?)));
        let (names, values): (Vec<_>, Vec<_>) =
            given.map(|(it, value)| (quote::name(&it.name), value.clone())).unzip();
        if names.is_empty() {
            return format!("INSERT INTO {} DEFAULT VALUES", self.table.path);
        }
        let (names, values) = (names.join(", "), values.join(", "));
        format!("INSERT INTO {} ({names}) VALUES ({values})", self.table.path)
    }

    /// The slots whose values the server does not want.
    fn culprits(&self, transaction: &mut Transaction<'_>, err: &DbError) -> Result<Vec<usize>> {
        let all = 0..self.slots.len();
        if let Some(name) = err.column() {
            let is_it = |at: &usize| self.slots[*at].columns.iter().any(|it| it.name == name);
            return Ok(all.filter(is_it).collect());
        }
        let is_partition = *err.code() == SqlState::CHECK_VIOLATION && err.constraint().is_none();
        let columns: Vec<_> = self
            .conditions
            .iter()
            .filter(|it| match err.constraint() {
                Some(name) => it.name.as_deref() == Some(name),
                None => is_partition && it.name.is_none(),
            })
            .flat_map(|it| it.columns.iter().copied())
            .collect();
        let named = all.clone().filter(|at| {
            let it = &self.slots[*at];
            it.columns.iter().any(|it| columns.contains(&it.number))
                || it.key.is_some() && it.key == err.constraint()
        });
        let named: Vec<_> = named.collect();
        match named.is_empty() && err.constraint().is_none() {
            true => self.unreadable(transaction),
            false => Ok(named),
        }
    }

    /// The slots whose values are not valid for their type.
    fn unreadable(&self, transaction: &mut Transaction<'_>) -> Result<Vec<usize>> {
        let mut all = Vec::new();
        for (place, it) in self.slots.iter().enumerate().filter(|(_, it)| it.key.is_none()) {
            let Some(row) = it.at.and_then(|at| it.candidates.get(at)) else { continue };
            if attempt(transaction, &format!("SELECT {}", row.join(", ")))?.is_some() {
                all.push(place);
            }
        }
        Ok(all)
    }

    /// Continues with the next values of these slots. Returns whether there are any.
    fn next(&mut self, culprits: &[usize]) -> bool {
        for &it in culprits.iter().rev() {
            let slot = &mut self.slots[it];
            let next = slot.at.map_or(0, |at| at + 1);
            if next < slot.candidates.len() {
                slot.at = Some(next);
                return true;
            }
            if slot.at.is_some() && slot.may_be_out {
                slot.at = None;
                slot.may_be_out = false;
                return true;
            }
            slot.at = (!slot.candidates.is_empty()).then_some(0);
        }
        false
    }
}

impl<'a> Slot<'a> {
    /// The rows of the other table, the one of the same number first.
    fn of_reference(it: &'a Reference, columns: Vec<&'a Column>, wish: RowSpec) -> Self {
        let keys = it.keys.join(", ");
        // The columns are in the order of the table.
        let key_of = |number: i32| it.own.iter().position(|own| *own == number);
        let value = |column: &Column, offset: u32| {
            let key = key_of(column.number).map_or("NULL", |at| it.keys[at].as_str());
            format!("(SELECT {key} FROM {} ORDER BY {keys} OFFSET {offset} LIMIT 1)", it.other)
        };
        let row = |offset: u32| columns.iter().map(|column| value(column, offset)).collect();
        let candidates: Vec<Vec<String>> = [wish.row - 1, 0, 1, 2].into_iter().map(row).collect();
        let may_be_out = columns.iter().all(|it| !it.not_null);
        Self { columns, key: Some(&it.name), candidates, at: Some(0), may_be_out }
    }

    fn of_column(column: &'a Column, candidates: Vec<String>, wish: RowSpec) -> Self {
        let candidates: Vec<_> = candidates.into_iter().map(|it| vec![it]).collect();
        let has_default = column.default != Default::Null;
        // Texts that become UUIDs may then have to be those of another table.
        let is_key = wish.flavor == SampleKind::Uuids && column.root == "uuid";
        let is_given = (!has_default || is_key) && !candidates.is_empty();
        Self {
            columns: vec![column],
            key: None,
            candidates,
            at: is_given.then_some(0),
            may_be_out: !column.not_null || has_default,
        }
    }
}

/// Runs a statement, and takes it back if it fails.
fn attempt(transaction: &mut Transaction<'_>, sql: &str) -> Result<Option<DbError>> {
    let mut savepoint = transaction.transaction().map_err(broken())?;
    let sql = format!("SET CONSTRAINTS ALL IMMEDIATE; {sql}");
    match savepoint.batch_execute(&sql) {
        Ok(()) => savepoint.commit().map(|()| None).map_err(broken()),
        Err(err) => match err.as_db_error() {
            Some(it) => Ok(Some(it.clone())),
            None => Err(broken()(err)),
        },
    }
}
