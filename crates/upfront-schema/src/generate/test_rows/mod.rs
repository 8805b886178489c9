//! Rows for trying a migration on, as far as a table takes what can be thought of.

mod query_results;
mod sample_kind;
mod sample_rows;
mod sample_values;
mod sequence_states;
mod tables;
mod violations;

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use tables::{Column, Table, tables};
use upfront_directory::Side;
use upfront_scratch::Database;

use crate::{
    catalog::scope::Scope,
    error::{Error, Result, reason},
    quote,
    scratch::session,
};

pub use query_results::changed_results;
pub use sample_kind::SampleKind;
pub use sample_rows::{SampleRows, UnseededTable};
pub use sequence_states::{InsertOutcome, SequenceStates};
pub use violations::Violations;

/// More rows than these are not compared.
const COMPARED: usize = 10_000;

/// A side that does not work with rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFailure {
    /// The table, where the server names one.
    pub table: Option<String>,
    /// Why, as the server has it.
    pub sqlstate: String,
    /// What it says.
    pub message: String,
}

/// The rows of all tables at one moment.
#[derive(Debug)]
pub struct Rows {
    all: BTreeMap<u32, Content>,
    /// The type and name of each value of an enum.
    labels: BTreeMap<u32, (String, String)>,
    /// The fields of each composite type, with their types.
    fields: BTreeMap<String, Vec<(String, String)>>,
}

#[derive(Clone, Debug)]
struct Content {
    table: String,
    /// Its partitions, at whatever depth.
    partitions: BTreeSet<u32>,
    columns: Vec<Part>,
    /// The numbers of the columns of a key; empty if the table has none.
    key: Vec<i32>,
    rows: Vec<Values>,
}

/// A column whose values can be compared: the same number, type and expression.
#[derive(Clone, Debug)]
struct Part {
    number: i32,
    name: String,
    declared: String,
    generated: Option<String>,
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        let all = |it: &Self| (it.number, it.declared.clone(), it.generated.clone());
        all(self) == all(other)
    }
}

type Values = Vec<Option<String>>;

impl RowFailure {
    /// Runs one side of a migration on rows; what the server has against it.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn of(database: &Database<'_>, side: &Side) -> Result<Option<Self>> {
        let mut client = session::open(database)?;
        let Err(err) = run(&mut client, side) else { return Ok(None) };
        match err.as_db_error() {
            None => Err(Error::postgres("run a migration with rows")(err)),
            Some(it) => Ok(Some(Self {
                table: it.table().map(str::to_owned),
                sqlstate: it.code().code().to_owned(),
                message: reason(&err),
            })),
        }
    }

    /// Whether values could not be read as those of another type.
    #[must_use]
    pub fn is_of_values(&self) -> bool {
        self.sqlstate.starts_with("22")
    }
}

fn run(client: &mut Client, side: &Side) -> Result<(), postgres::Error> {
    if side.transactional && side.statements.iter().all(|it| it.data.is_none()) {
        return session::run(client, &side.body);
    }
    if side.transactional {
        session::run(client, "BEGIN")?;
    }
    for it in &side.statements {
        let sql = &side.body[it.range.clone()];
        match &it.data {
            Some(data) => session::copy(client, sql, &side.body[data.lines.clone()])?,
            None => session::run(client, sql)?,
        }
    }
    match side.transactional {
        true => session::run(client, "COMMIT"),
        false => Ok(()),
    }
}

/// The columns of each table's primary key, else of its first unique one.
const KEYS: &str = "
SELECT DISTINCT ON (x.indrelid) x.indrelid, array(SELECT unnest(x.indkey::int2[]::int4[])
  LIMIT x.indnkeyatts)
FROM pg_index x WHERE x.indisunique AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
ORDER BY x.indrelid, NOT x.indisprimary, x.indexrelid";

const LABELS: &str = "
SELECT e.oid, format_type(e.enumtypid, NULL), e.enumlabel::text FROM pg_enum e
WHERE e.enumtypid >= 16384";

const FIELDS: &str = "
SELECT format_type(c.reltype, NULL), a.attname::text, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('c', 'r', 'p') AND c.oid >= 16384 ORDER BY c.oid, a.attnum";

const PARTITIONS: &str = "
SELECT pg_partition_root(c.oid)::oid, c.oid FROM pg_class c WHERE c.relispartition AND c.relkind IN ('r', 'p')";

impl Rows {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn read(database: &Database<'_>, scope: &Scope) -> Result<Self> {
        let mut client = session::open(database)?;
        let keys = client.query(KEYS, &[]).map_err(Error::postgres("read the keys"))?;
        let keys: BTreeMap<u32, Vec<i32>> = keys.iter().map(|it| (it.get(0), it.get(1))).collect();
        let mut all = BTreeMap::new();
        for table in tables(&mut client, scope)? {
            let key = keys.get(&table.oid).cloned().unwrap_or_default();
            all.insert(table.oid, Content::read(&mut client, &table, key)?);
        }
        for it in client.query(PARTITIONS, &[]).map_err(Error::postgres("read the partitions"))? {
            let root: u32 = it.get(0);
            all.entry(root).and_modify(|whole: &mut Content| {
                whole.partitions.insert(it.get(1));
            });
        }
        let labels = client.query(LABELS, &[]).map_err(Error::postgres("read the enums"))?;
        let labels = labels.iter().map(|it| (it.get(0), (it.get(1), it.get(2)))).collect();
        let mut fields: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for it in client.query(FIELDS, &[]).map_err(Error::postgres("read the fields"))? {
            fields.entry(it.get(0)).or_default().push((it.get(1), it.get(2)));
        }
        Ok(Self { all, labels, fields })
    }

    /// What of the rows is not as it was, in columns that have their type and expression still.
    #[must_use]
    pub fn changed(&self, later: &Self) -> Vec<String> {
        self.compare(later, None)
    }

    /// The rows that a down script has changed without restoring them to the state before the up
    /// script.
    ///
    /// Rows that the up script inserted may be deleted, and those that it deleted may be restored.
    #[must_use]
    pub fn not_restored(&self, first: &Self, later: &Self) -> Vec<String> {
        [first.misnamed(later), self.compare(later, Some(first))].concat()
    }

    /// Columns that are called otherwise later: where two have traded their names, the schema is the
    /// same, and the values are not.
    fn misnamed(&self, later: &Self) -> Vec<String> {
        let both = self.all.iter().filter_map(|(oid, it)| Some((it, later.all.get(oid)?)));
        let one = |(old, new): (&Content, &Content)| {
            let was = |part: &Part| old.columns.iter().find(|it| it.number == part.number).cloned();
            let (table, path) = (old.table.clone(), new.table.clone());
            let moved = (table != path).then(|| format!("{table} is called {path}"));
            let columns = new.columns.iter().filter_map(move |it| {
                let name = was(it)?.name;
                (name != it.name).then(|| {
                    let [name, now] = [&name, &it.name].map(|it| quote::name(it));
                    format!("{table}: what was {name} is called {now}")
                })
            });
            moved.into_iter().chain(columns).collect::<Vec<_>>()
        };
        both.flat_map(one).collect()
    }

    fn compare(&self, later: &Self, first: Option<&Self>) -> Vec<String> {
        let renamed = self.renamed(later);
        let both = self.all.iter().filter_map(|(oid, it)| Some((oid, it, later.all.get(oid)?)));
        let one = |(oid, old, new): (&u32, &Content, &Content)| {
            let earlier = first.and_then(|it| it.all.get(oid));
            // What is attached or detached has its rows still.
            let came = old.with(new.partitions.difference(&old.partitions), self);
            let went = new.with(old.partitions.difference(&new.partitions), later);
            came.compare(&went, earlier, &renamed)
        };
        both.flat_map(one).collect()
    }

    /// The types whose values read differently later: an enum of which a value has another name, a
    /// composite type with other fields, and those with a field of such a type.
    fn renamed(&self, later: &Self) -> BTreeSet<&str> {
        let is_other = |(oid, (_, label)): &(&u32, &(String, String))| {
            later.labels.get(oid).is_some_and(|(_, it)| it != label)
        };
        let enums = self.labels.iter().filter(is_other).map(|(_, (name, _))| name.as_str());
        let types = |it: &[(String, String)]| it.iter().map(|it| it.1.clone()).collect::<Vec<_>>();
        let has_others = |(name, fields): &(&String, &Vec<(String, String)>)| {
            later.fields.get(*name).is_some_and(|it| types(it) != types(fields))
        };
        let composites = self.fields.iter().filter(has_others).map(|(name, _)| name.as_str());
        let mut all: BTreeSet<_> = enums.chain(composites).collect();
        loop {
            let holds = |it: &(String, String)| all.contains(it.1.trim_end_matches("[]"));
            let more = self.fields.iter().filter(|(_, fields)| fields.iter().any(holds));
            let more: Vec<_> = more.map(|(name, _)| name.as_str()).collect();
            let before = all.len();
            all.extend(more);
            if all.len() == before {
                return all;
            }
        }
    }

    /// How many rows each table has more than before, where it has.
    #[must_use]
    pub fn added(&self, later: &Self) -> Vec<(String, usize)> {
        let count = |it: &Self, oid| it.all.get(oid).map_or(0, |it: &Content| it.rows.len());
        let more = later
            .all
            .iter()
            .map(|(oid, it)| (it.table.clone(), it.rows.len().saturating_sub(count(self, oid))));
        more.filter(|(_, rows)| *rows > 0).collect()
    }
}

/// A row's values by column.
type ByNumber<'a> = BTreeMap<i32, Option<&'a str>>;

impl Content {
    fn read(client: &mut Client, table: &Table, key: Vec<i32>) -> Result<Self> {
        let text = |it: &Column| format!("{}::text", quote::name(&it.name));
        let texts: Vec<_> = table.columns.iter().map(text).collect();
        let sql = format!("SELECT {} FROM {} LIMIT {COMPARED}", texts.join(", "), table.path);
        let rows = client.query(&sql, &[]).map_err(Error::postgres("read the rows"))?;
        let rows = rows.iter().map(|row| (0..texts.len()).map(|it| row.get(it)).collect());
        let part = |it: &Column| Part {
            number: it.number,
            name: it.name.clone(),
            declared: it.declared.clone(),
            generated: it.generated.clone(),
        };
        let columns = table.columns.iter().map(part).collect();
        let (table, rows) = (table.path.clone(), rows.collect());
        Ok(Self { table, partitions: BTreeSet::new(), columns, key, rows })
    }

    /// The same with the rows of other tables, by the names of their columns.
    fn with<'a>(&self, others: impl Iterator<Item = &'a u32>, all: &Rows) -> Self {
        let mut whole = self.clone();
        for other in others.filter_map(|it| all.all.get(it)) {
            let place = |it: &Part| other.columns.iter().position(|own| own.name == it.name);
            let places: Vec<_> = self.columns.iter().map(place).collect();
            whole.rows.extend(
                other
                    .rows
                    .iter()
                    .map(|row| places.iter().map(|it| it.and_then(|it| row[it].clone())).collect()),
            );
        }
        whole
    }

    /// What differs later, and from each of the earlier ones too.
    fn compare(
        &self,
        later: &Self,
        earlier: Option<&Self>,
        renamed: &BTreeSet<&str>,
    ) -> Vec<String> {
        let is_kept = |it: &&Part| {
            later.columns.contains(it) && !renamed.contains(it.declared.trim_end_matches("[]"))
        };
        let kept: Vec<_> = self.columns.iter().filter(is_kept).collect();
        let numbers: Vec<_> = kept.iter().map(|it| it.number).collect();
        let has_key = !self.key.is_empty() && self.key.iter().all(|it| numbers.contains(it));
        match has_key {
            true => self.compare_by_key(later, earlier, &kept),
            false => self.compare_whole(later, earlier, &numbers),
        }
    }

    fn compare_by_key(&self, later: &Self, earlier: Option<&Self>, kept: &[&Part]) -> Vec<String> {
        let (old, new) = (self.by_key(&self.key), later.by_key(&self.key));
        let before = earlier.map(|it| (it, it.by_key(&self.key)));
        let was_there = |key: &Values| before.as_ref().is_some_and(|(_, it)| it.contains_key(key));
        let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let mut all = Vec::new();
        for key in keys {
            let row = || format!("{}, where {}", self.table, self.named(key));
            match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) => {
                    let differs = kept.iter().filter(|part| {
                        let value = new.get(&part.number);
                        let is_back = before.as_ref().is_some_and(|(content, it)| {
                            content.columns.contains(part)
                                && it.get(key).is_some_and(|it| it.get(&part.number) == value)
                        });
                        old.get(&part.number) != value && !is_back
                    });
                    let names: Vec<_> = differs.map(|it| quote::name(&it.name)).collect();
                    let what = (!names.is_empty()).then(|| names.join(", "));
                    all.extend(what.map(|what| format!("{}: {what} is another", row())));
                }
                (Some(_), None) if earlier.is_none() || was_there(key) => {
                    all.push(format!("{}: the row is gone", row()));
                }
                (None, Some(_)) if !was_there(key) => {
                    all.push(format!("{}: the row is new", row()));
                }
                _ => {}
            }
        }
        all
    }

    fn by_key(&self, key: &[i32]) -> BTreeMap<Values, ByNumber<'_>> {
        let one = |row| {
            let all = self.by_number(row);
            let value = |it: &i32| all.get(it).copied().flatten().map(str::to_owned);
            (key.iter().map(value).collect(), all)
        };
        self.rows.iter().map(one).collect()
    }

    fn by_number<'a>(&'a self, row: &'a Values) -> ByNumber<'a> {
        self.columns.iter().zip(row).map(|(it, value)| (it.number, value.as_deref())).collect()
    }

    /// The values of the key, as a condition.
    fn named(&self, key: &Values) -> String {
        let name = |number: &i32| {
            let part = self.columns.iter().find(|it| it.number == *number);
            part.map(|it| quote::name(&it.name)).unwrap_or_default()
        };
        let one = |(number, value): (&i32, &Option<String>)| {
            format!("{} is {}", name(number), value.as_deref().unwrap_or("NULL"))
        };
        self.key.iter().zip(key).map(one).collect::<Vec<_>>().join(" and ")
    }

    /// Without a key, all rows together are what they were, or what they were before that.
    fn compare_whole(&self, later: &Self, earlier: Option<&Self>, kept: &[i32]) -> Vec<String> {
        let new = later.only(kept);
        let is_back = |it: &Self| it.only(kept) == new;
        match self.only(kept) == new || earlier.is_some_and(is_back) {
            true => Vec::new(),
            false => vec![format!("{}: rows are others", self.table)],
        }
    }

    fn only(&self, kept: &[i32]) -> Vec<Vec<Option<&str>>> {
        let one = |row| {
            let all = self.by_number(row);
            kept.iter().map(|it| all.get(it).copied().flatten()).collect()
        };
        let mut rows: Vec<Vec<_>> = self.rows.iter().map(one).collect();
        rows.sort();
        rows
    }
}
