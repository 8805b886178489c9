//! `adopt` and `baseline`

use std::thread;

use deadpool_postgres::Pool;
use upfront::{
    AdoptReport, Error,
    cli::{Exit, Output},
};
use upfront_schema::{compare, uncompared_differences};

use crate::{
    config::Project,
    connection::database::{Database, Needs, with},
    output::{
        differences::{self, Ends},
        failure::Failure,
    },
    scratch::{self, live_database::Found, of_schema, replay::Bench, setup, source::Source},
};

/// Options of `adopt`.
///
/// Hashes, names and order are compared with the files first, and any difference refuses it. The
/// other tool's table is never written.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The table of the other tool, where there are several or it has a name of its own
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Compare, show what would be recorded, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        with(project, output, Needs::Folder, async |it| {
            let table = self.table.as_deref();
            let adopted = match self.dry_run {
                true => it.migrator.plan_adopt(table).await,
                false => it.migrator.adopt(table).await,
            };
            Ok(told(adopted, output))
        })
    }
}

fn told(adopted: Result<AdoptReport, Error>, output: &Output) -> Exit {
    match adopted {
        Ok(it) => {
            output.result(&it, || it.to_string());
            Exit::Done
        }
        Err(err) => output.failed(&err),
    }
}

/// Options of `baseline`.
///
/// The migrations up to the version are applied to a scratch server first, and the schema that
/// they make must be the database's.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Baseline {
    /// The newest migration that the database has
    version: String,
    /// Compare, show what would be recorded, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not compare the database with what the migrations make
    #[arg(long)]
    unchecked: bool,
}

impl Baseline {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        with(project, output, Needs::Folder, async |it| {
            let plan = match it.migrator.plan_baseline(&self.version).await {
                Ok(plan) => plan,
                Err(err) => return Ok(output.failed(&err)),
            };
            if !self.unchecked {
                self.compare(it, project, output).await?;
            }
            Ok(match self.dry_run {
                true => told(Ok(plan), output),
                false => told(it.migrator.baseline(&self.version).await, output),
            })
        })
    }

    /// Replays the migrations, and compares as `check --schema` does, without privileges: they name
    /// roles, which other tools leave to the administrator of the server.
    async fn compare(
        &self,
        it: &Database,
        project: &Project,
        output: &Output,
    ) -> Result<(), Failure> {
        let major = major(&it.pool).await?;
        let found = Found::ask(&it.pool, project).await?;
        found.warn(project, output);
        let libpq = it.address.libpq.clone();
        let live = Source::Live { libpq, major, end: "the database", found };
        // What replays has a runtime of its own.
        thread::scope(|scope| scope.spawn(|| self.against(&live, project, output)).join())
            .expect("a comparison does not panic")
    }

    fn against(&self, live: &Source, project: &Project, output: &Output) -> Result<(), Failure> {
        let server = scratch::start_for(project, &[live])?;
        let directory = setup::replayable(project, &server, project.folder()?.read()?)?;
        let made = Bench::new(project, &server, &directory)?;
        made.up_to(&self.version)?;
        let found = live.build(project, &server, output)?;
        let mut scope = scratch::scope(project, &[&made.database, &found])?;
        live.narrow(&mut scope);
        let mut all = compare(&made.database, &found, &scope).map_err(|err| of_schema(&err))?;
        all.retain(|it| !it.is_about_privileges());
        let order = uncompared_differences(&found, &made.database, &scope)
            .map_err(|err| of_schema(&err))?;
        if all.is_empty() && order.is_empty() {
            return Ok(());
        }
        let ends = Ends { first: "the migrations", second: "the database" };
        let lines = differences::words(&all, &ends).into_iter().chain(order);
        let failure = Failure::new(
            Exit::Refused,
            format!(
                "the database is not what the migrations up to `{}` make; nothing was written",
                self.version
            ),
        );
        Err(lines.fold(failure, Failure::more).help(
            "choose the version that fits, or write a migration for the difference; `exclude` in \
             `[desired]` leaves objects alone; `--unchecked` does without the comparison",
        ))
    }
}

/// The major version of the database's server.
pub(crate) async fn major(pool: &Pool) -> Result<u32, Failure> {
    let ask = async {
        let client = pool.get().await.ok()?;
        let sql = "SELECT pg_catalog.current_setting('server_version_num')";
        let rows = client.simple_query(sql).await.ok()?;
        let number = rows.iter().find_map(|it| match it {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Some(number?.parse::<u32>().ok()? / 10_000)
    };
    let unknown = || Failure::new(Exit::Failed, "the server did not tell its version");
    ask.await.ok_or_else(unknown)
}
