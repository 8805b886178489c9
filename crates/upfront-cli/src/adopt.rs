//! `adopt` and `baseline`

use deadpool_postgres::Pool;
use upfront::{
    Adopted, Error, Migrator,
    cli::{Exit, Output},
};
use upfront_scratch::{Server, Without};

use crate::{
    database::{Database, Needs, with},
    failure::Failure,
    project::Project,
    scratch,
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
                true => it.migrator.plan_adopt(&it.directory, table).await,
                false => it.migrator.adopt(&it.directory, table).await,
            };
            Ok(told(adopted, output))
        })
    }
}

fn told(adopted: Result<Adopted, Error>, output: &Output) -> Exit {
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
            if !self.unchecked
                && let Some(exit) = self.compare(it, output).await?
            {
                return Ok(exit);
            }
            Ok(match self.dry_run {
                true => told(Ok(plan), output),
                false => told(it.migrator.baseline(&self.version).await, output),
            })
        })
    }

    /// Replays the migrations, and compares. An exit code where that failed and was told.
    async fn compare(&self, it: &Database, output: &Output) -> Result<Option<Exit>, Failure> {
        let major = major(&it.pool).await?;
        let server = Server::builder().major(major).start().map_err(|err| scratch::failed(&err))?;
        let database = server.database().map_err(|err| scratch::failed(&err))?;
        let migrations = match it.migrations.up_to(&self.version) {
            Ok(it) => it,
            Err(err) => return Ok(Some(output.failed(&err))),
        };
        let pool = crate::connection::local(&database.url())?;
        let builder = Migrator::builder(migrations, pool);
        let migrator = it.target.apply_alone(builder).build();
        let replay = async { migrator?.up().await };
        if let Err(err) = replay.await {
            output.warning("the migrations cannot be replayed on a scratch server");
            return Ok(Some(output.failed(&err)));
        }
        let histories = upfront::history_tables();
        let tables: Vec<_> = histories.iter().map(String::as_str).collect();
        let without = Without { schemas: &[it.target.own_schema()], tables: &tables };
        let difference = database.difference(&it.address.libpq, &without);
        match difference.map_err(|err| scratch::failed(&err))? {
            None => Ok(None),
            Some(difference) => Err(Failure::new(
                Exit::Refused,
                format!(
                    "the database is not what the migrations up to `{}` make; nothing was written",
                    self.version
                ),
            )
            .more("`-` is what the migrations make, `+` is what the database has:")
            .more(difference.trim_end().replace('\n', "\n  "))
            .help(
                "choose the version that fits, or write a migration for the difference; \
                 `--unchecked` does without the comparison",
            )),
        }
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
