//! A schema of many tables, and one measurement of it.

use std::{
    fs,
    str::FromStr,
    time::{Duration, Instant},
};

use postgres::{Client, NoTls};
use upfront_schema::{Facts, Options, difference, extract, plan};
use upfront_scratch::Database;

use crate::Result;

/// The word by which the bench starts itself to measure.
pub(crate) const CHILD: &str = "measure";

/// What the second schema has otherwise.
pub(crate) const CHANGES: &str = "ALTER TABLE t1 ADD COLUMN fresh text; DROP INDEX t2_a; \
     ALTER TABLE t3 ALTER a TYPE bigint";

/// What is measured, as one line of numbers.
pub(crate) struct Measured {
    pub(crate) facts: usize,
    pub(crate) read: Duration,
    pub(crate) planned: Duration,
    /// In kB.
    pub(crate) peak: u64,
}

/// Makes the tables.
pub(crate) fn fill(database: &Database<'_>, tables: usize) -> Result<()> {
    let all: Vec<_> = (0..tables).map(table).collect();
    Ok(all.chunks(1_000).try_for_each(|it| database.execute(&it.concat()))?)
}

fn table(at: usize) -> String {
    let other = at / 2;
    format!(
        "CREATE TABLE t{at} (id bigint PRIMARY KEY, a int NOT NULL, b text DEFAULT 'x', c text,
           d numeric(12, 2) CHECK (d > 0), e timestamptz DEFAULT now(), f uuid, g boolean,
           h jsonb, other bigint REFERENCES t{other});
         CREATE INDEX t{at}_a ON t{at} (a); CREATE INDEX t{at}_e ON t{at} (e) WHERE g;"
    )
}

/// Compares two databases and prints what it took.
pub(crate) fn measure(old: &str, new: &str) -> Result<()> {
    let options = Options::default();
    let since = Instant::now();
    let (old, new) = (facts(old, &options)?, facts(new, &options)?);
    let differences = difference(&old, &new);
    let read = since.elapsed();
    let since = Instant::now();
    let plan = plan(&old, &new, &options)?;
    let planned = since.elapsed();
    if differences.len() != CHANGES.split(';').count() || plan.is_empty() {
        return Err(format!("{} differences are not what was made", differences.len()).into());
    }
    println!("{} {} {} {}", old.len(), read.as_micros(), planned.as_micros(), peak()?);
    Ok(())
}

fn facts(url: &str, options: &Options) -> Result<Facts> {
    Ok(extract(&mut Client::connect(url, NoTls)?, &options.scope)?)
}

/// The peak memory of this process, from Linux.
fn peak() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let number = line.and_then(|it| it.split_whitespace().next());
    Ok(number.ok_or("there is no VmHWM in /proc/self/status")?.parse()?)
}

impl FromStr for Measured {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self> {
        let numbers: Vec<u64> =
            text.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
        match numbers.as_slice() {
            [facts, read, planned, peak] => Ok(Self {
                facts: usize::try_from(*facts)?,
                read: Duration::from_micros(*read),
                planned: Duration::from_micros(*planned),
                peak: *peak,
            }),
            _ => Err(format!("this is no measurement: {text}").into()),
        }
    }
}
