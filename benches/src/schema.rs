//! What it costs to compare two schemas, as they grow, beside `pg_dump` of the same two.
//!
//! ```text
//! cargo run --release -p upfront-benches --bin schema -- --sizes 100,1000
//! ```

mod measure;
mod page;
mod wide;

use std::{
    env,
    error::Error,
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use lexopt::{Arg, Parser, ValueExt};
use measure::{Samples, shown, times};
use page::Page;
use upfront_scratch::{Database, Server};
use wide::Measured;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "\
usage: schema [options]

  --sizes A,B,…    numbers of tables
  --rounds N       rounds of each size
  --write FILE     writes the page there too";

struct Options {
    sizes: Vec<usize>,
    rounds: usize,
    write: Option<PathBuf>,
}

/// What one size came to.
struct Row {
    tables: usize,
    facts: usize,
    read: Samples,
    planned: Samples,
    dumped: Samples,
    /// In kB.
    peak: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        // One measurement a process, or its peak of memory would be that of all before it.
        [word, old, new] if word == wide::CHILD => wide::measure(old, new),
        _ => options(&arguments).and_then(|it| it.map_or(Ok(()), |it| run(&it, &arguments))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("the bench cannot go on: {err}");
            ExitCode::FAILURE
        }
    }
}

/// `None` where help was all that was wanted.
fn options(arguments: &[String]) -> Result<Option<Options>> {
    let mut it = Options { sizes: vec![500, 1_000, 2_000, 5_000], rounds: 5, write: None };
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("sizes") => {
                it.sizes = parser.value()?.parse_with(|it| {
                    it.split(',').map(str::parse).collect::<std::result::Result<_, _>>()
                })?;
            }
            Arg::Long("rounds") => it.rounds = parser.value()?.parse()?,
            Arg::Long("write") => it.write = Some(parser.value()?.into()),
            Arg::Long("help") | Arg::Short('h') => {
                println!("{USAGE}");
                return Ok(None);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(it))
}

fn run(options: &Options, arguments: &[String]) -> Result<()> {
    // Each table of a transaction is locked.
    let server = Server::builder()
        .setting("max_locks_per_transaction", "10000")
        .setting("autovacuum", "off")
        .start()?;
    let mut page = Page::new("What it costs to compare two schemas");
    describe(&server, options, arguments, &mut page)?;
    let rows: Vec<_> =
        options.sizes.iter().map(|it| size(&server, *it, options.rounds)).collect::<Result<_>>()?;
    page.heading("As the number of tables grows");
    page.table(&header(), rows.iter().map(|it| it.cells(&rows[0])).collect());
    println!("{page}");
    match &options.write {
        Some(path) => Ok(fs::write(path, page.to_string())?),
        None => Ok(()),
    }
}

fn describe(
    server: &Server,
    options: &Options,
    arguments: &[String],
    page: &mut Page,
) -> Result<()> {
    page.paragraph(&format!(
        "`cargo run --release -p upfront-benches --bin schema -- {}`",
        arguments.join(" ")
    ));
    let (version, cpus) = (server.version(), std::thread::available_parallelism()?);
    page.paragraph(&format!(
        "PostgreSQL {version} on a machine with {cpus} CPUs, {} rounds, medians. A table has ten \
         columns, a primary key, two indexes, a check and a foreign key; the second schema has a \
         column more, an index less and a column of another type. “Read and compared” is the \
         catalogs of both, as facts, and their difference; “planned” the statements for it in \
         their order. `pg_dump -s` of both, in the same round, is the measure for what reading a \
         catalog takes. Memory is the peak of the process, in which nothing else runs. Growth \
         compares a table's share of the time with that of the first line.",
        options.rounds
    ));
    Ok(())
}

fn header() -> [String; 8] {
    [
        "tables",
        "facts",
        "read and compared",
        "planned",
        "together",
        "`pg_dump -s`",
        "peak",
        "growth",
    ]
    .map(str::to_owned)
}

fn size(server: &Server, tables: usize, rounds: usize) -> Result<Row> {
    eprintln!("… {tables} tables");
    let old = server.database()?;
    wide::fill(&old, tables)?;
    let new = old.copy()?;
    new.execute(wide::CHANGES)?;
    let none = Samples::default;
    let (read, planned, dumped) = (none(), none(), none());
    let mut row = Row { tables, facts: 0, read, planned, dumped, peak: 0 };
    for _ in 0..rounds {
        let it = child(&old, &new)?;
        row.read.push(it.read);
        row.planned.push(it.planned);
        row.dumped.push(dump(server, &old)? + dump(server, &new)?);
        (row.facts, row.peak) = (it.facts, row.peak.max(it.peak));
    }
    Ok(row)
}

fn child(old: &Database<'_>, new: &Database<'_>) -> Result<Measured> {
    let mut command = Command::new(env::current_exe()?);
    let output = command.args([wide::CHILD, &old.url(), &new.url()]).output()?;
    match output.status.success() {
        true => String::from_utf8(output.stdout)?.parse(),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

fn dump(server: &Server, database: &Database<'_>) -> Result<Duration> {
    let mut command = server.bin("pg_dump");
    command.args(["--schema-only", "--file", "/dev/null", "--dbname", &database.url()]);
    let since = Instant::now();
    match command.status()?.success() {
        true => Ok(since.elapsed()),
        false => Err("pg_dump failed".into()),
    }
}

impl Row {
    fn together(&self) -> Duration {
        self.read.median() + self.planned.median()
    }

    /// Seconds a table.
    fn share(&self) -> f64 {
        self.together().as_secs_f64() / f64::from(u32::try_from(self.tables).unwrap_or(u32::MAX))
    }

    fn cells(&self, first: &Self) -> Vec<String> {
        vec![
            self.tables.to_string(),
            self.facts.to_string(),
            format!("{} (at most {})", self.read.beside(&self.dumped), shown(self.read.max())),
            shown(self.planned.median()),
            shown(self.together()),
            shown(self.dumped.median()),
            format!("{} MB", self.peak / 1024),
            times(self.share() / first.share()),
        ]
    }
}
