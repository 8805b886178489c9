//! How long a wide schema takes: `cargo run --release -p upfront-schema --example scale -- 1000`.

use std::error::Error;
use std::fs;
use std::time::Instant;

use clap::Parser;
use postgres::{Client, NoTls};
use upfront_schema::{Options, difference, extract, plan};
use upfront_scratch::{Database, Server};

#[derive(Parser)]
struct Arguments {
    /// Tables of ten columns, each with three indexes, a foreign key and a check.
    #[arg(default_value_t = 1000)]
    tables: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let server = Server::builder().setting("max_locks_per_transaction", "10000").start()?;
    let old = server.database()?;
    for part in statements(arguments.tables).chunks(1000) {
        old.execute(&part.concat())?;
    }
    let new = old.copy()?;
    new.execute(
        "ALTER TABLE t1 ADD COLUMN fresh text; DROP INDEX t2_a; ALTER TABLE t3 ALTER a TYPE bigint",
    )?;
    measure(&server.database()?, &old, &new)
}

fn statements(tables: usize) -> Vec<String> {
    let table = |it: usize| {
        let other = it / 2;
        format!(
            "CREATE TABLE t{it} (id bigint PRIMARY KEY, a int NOT NULL, b text DEFAULT 'x', c text,
               d numeric(12, 2) CHECK (d > 0), e timestamptz DEFAULT now(), f uuid, g boolean,
               h jsonb, other bigint REFERENCES t{other});
             CREATE INDEX t{it}_a ON t{it} (a); CREATE INDEX t{it}_e ON t{it} (e) WHERE g;"
        )
    };
    (0..tables).map(table).collect()
}

fn measure(
    empty: &Database<'_>,
    old: &Database<'_>,
    new: &Database<'_>,
) -> Result<(), Box<dyn Error>> {
    let facts = |it: &Database<'_>| {
        let mut client = Client::connect(&it.url(), NoTls)?;
        Ok::<_, Box<dyn Error>>(extract(&mut client, &Options::default().scope)?)
    };
    let options = Options::default();
    let since = Instant::now();
    let (a, b) = (facts(old)?, facts(new)?);
    println!("{} and {} facts in {:?}", a.len(), b.len(), since.elapsed());
    let since = Instant::now();
    println!("{} differences in {:?}", difference(&a, &b).len(), since.elapsed());
    let since = Instant::now();
    println!("{} statements in {:?}", plan(&a, &b, &options)?.statements.len(), since.elapsed());
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = text.lines().find(|it| it.starts_with("VmHWM")).unwrap_or_default().to_owned();
    let none = facts(empty)?;
    let since = Instant::now();
    println!(
        "{} statements for all of it in {:?}",
        plan(&none, &a, &options)?.statements.len(),
        since.elapsed()
    );
    let since = Instant::now();
    println!(
        "{} statements to drop it in {:?}",
        plan(&a, &none, &options)?.statements.len(),
        since.elapsed()
    );
    println!("{peak}");
    Ok(())
}
