//! Rows that a schema rejects, for the moments between two files of a migration.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, Transaction};
use upfront_scratch::Database;

use crate::{
    catalog::scope::Scope,
    error::{Error, Result},
    generate::test_rows::{
        sample_kind::SampleKind,
        sample_rows::Search,
        sample_values::RowSpec,
        tables::{Table, Tables},
    },
    quote,
    scratch::session,
};

/// The number of the row that is changed until it is rejected; those before it were made up.
const NEXT: u32 = 3;

/// Values that a check or a foreign key may reject.
const UNLIKELY: [&str; 4] = ["-2000000000", "2000000000", "0", ""];

/// Inserts that a database with rows rejects, each with what rejects it.
#[derive(Debug)]
pub struct Violations(Vec<Violation>);

#[derive(Debug)]
struct Violation {
    table: String,
    guard: String,
    insert: String,
}

/// Expressions by the numbers of columns.
type Values = BTreeMap<i32, String>;

impl Violations {
    /// Finds, for each constraint, unique index and NOT NULL, a row that violates it alone: a row that
    /// the table takes, but for the columns of the constraint.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn find(database: &Database<'_>, scope: &Scope) -> Result<Self> {
        let mut client = session::open(database)?;
        let tables = Tables::read(&mut client, scope)?;
        let mut transaction = client.transaction().map_err(broken())?;
        let mut all = Vec::new();
        for table in &tables.all {
            let mut search =
                Search::new(table, &tables, RowSpec { row: NEXT, flavor: SampleKind::Full });
            let mut savepoint = transaction.transaction().map_err(broken())?;
            let fits = search.run(&mut savepoint)?.is_none();
            savepoint.rollback().map_err(broken())?;
            if fits {
                all.extend(of_table(&mut transaction, table, &tables, &search)?);
            }
        }
        Ok(Self(all))
    }

    /// Which of them a database takes.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn accepted(&self, database: &Database<'_>) -> Result<BTreeSet<usize>> {
        self.with_outcome(database, |it| matches!(it, Outcome::Accepted))
    }

    /// Which of them a database rejects for its constraints.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn rejected(&self, database: &Database<'_>) -> Result<BTreeSet<usize>> {
        self.with_outcome(database, |it| matches!(it, Outcome::Rejected(_)))
    }

    /// The table and what rejected the row there, in words.
    #[must_use]
    pub fn words(&self, at: usize) -> String {
        let Violation { table, guard, .. } = &self.0[at];
        format!("{table} accepts a row that {guard} rejects")
    }

    fn with_outcome(
        &self,
        database: &Database<'_>,
        is: impl Fn(&Outcome) -> bool,
    ) -> Result<BTreeSet<usize>> {
        let mut client: Client = session::open(database)?;
        let mut transaction = client.transaction().map_err(broken())?;
        let mut all = BTreeSet::new();
        for (at, it) in self.0.iter().enumerate() {
            if is(&attempt(&mut transaction, &it.insert)?) {
                all.insert(at);
            }
        }
        Ok(all)
    }
}

fn broken() -> impl FnOnce(postgres::Error) -> Error {
    Error::postgres("try rows that are rejected")
}

fn of_table(
    transaction: &mut Transaction<'_>,
    table: &Table,
    tables: &Tables,
    search: &Search<'_>,
) -> Result<Vec<Violation>> {
    let mut found = BTreeMap::new();
    for values in tries(table, tables) {
        let insert = search.insert_with(&values);
        if let Outcome::Rejected(guard) = attempt(transaction, &insert)? {
            let table = table.path.clone();
            found.entry(guard.clone()).or_insert(Violation { table, guard, insert });
        }
    }
    Ok(found.into_values().collect())
}

/// What is put in the place of values that fit: those of a row that is there, NULL, and what is in no
/// other table.
fn tries(table: &Table, tables: &Tables) -> Vec<Values> {
    let column =
        |number: &i32| table.columns.iter().find(|it| it.number == *number && it.is_open());
    let conditions = tables.conditions.get(&table.oid).map(Vec::as_slice).unwrap_or_default();
    let mut all = Vec::new();
    for it in conditions {
        let columns: Vec<_> = it.columns.iter().filter_map(column).collect();
        let order: Vec<_> = columns.iter().map(|it| quote::name(&it.name)).collect();
        let order = order.join(", ");
        let there = columns.iter().map(|it| {
            let (name, path) = (quote::name(&it.name), &table.path);
            (it.number, format!("(SELECT {name} FROM {path} ORDER BY {order} LIMIT 1)"))
        });
        all.push(there.collect());
        let unlikely = columns.iter().flat_map(|it| {
            UNLIKELY.map(|value| {
                Values::from([(it.number, format!("{}::{}", quote::literal(value), it.declared))])
            })
        });
        all.extend(unlikely);
    }
    let required = table.columns.iter().filter(|it| it.not_null && it.is_open());
    all.extend(required.map(|it| Values::from([(it.number, "NULL".to_owned())])));
    all
}

enum Outcome {
    Accepted,
    /// By what.
    Rejected(String),
    /// It fails for another reason: a column may have another name.
    Fails,
}

/// Inserts a row, and takes it back.
fn attempt(transaction: &mut Transaction<'_>, insert: &str) -> Result<Outcome> {
    let mut savepoint = transaction.transaction().map_err(broken())?;
    let sql = format!("SET CONSTRAINTS ALL IMMEDIATE; {insert}");
    let outcome = match savepoint.batch_execute(&sql) {
        Ok(()) => Outcome::Accepted,
        Err(err) => match err.as_db_error() {
            None => return Err(broken()(err)),
            Some(it) if it.code().code().starts_with("23") => {
                let not_null = it.column().map(|it| format!("NOT NULL of {}", quote::name(it)));
                let guard = it.constraint().map(quote::name).or(not_null);
                guard.map_or(Outcome::Fails, Outcome::Rejected)
            }
            Some(_) => Outcome::Fails,
        },
    };
    savepoint.rollback().map_err(broken())?;
    Ok(outcome)
}
