//! `verify`

use serde::Serialize;
use upfront::{
    Error, Migrations, Migrator, Target as Rollback,
    cli::{Exit, Output},
};
use upfront_directory::{Directory, Migration};
use upfront_scratch::{Database, Server, Without};

use crate::{
    adopt::scratch,
    connection,
    database::block_on,
    failure::Failure,
    project::{Project, Target},
};

/// Options of `verify`.
///
/// Each migration is applied to a scratch server, rolled back and applied again. Its down side must
/// lead back to the schema before it, and the second way up to the schema of the first.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The major version of PostgreSQL; that of this machine where nothing is said
    #[arg(long, value_name = "N")]
    major: Option<u32>,
}

#[derive(Serialize)]
struct Verified {
    server_version: String,
    migrations: usize,
    reversible: usize,
    irreversible: Vec<String>,
    without_down: Vec<String>,
}

/// Why a migration is not what it should be.
enum Wrong {
    Error(Error),
    Failure(Failure),
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let directory = project.folder()?.read_warned(output)?;
        let settings = project.settings()?;
        let mut builder = Server::builder();
        if let Some(it) = self.major {
            builder = builder.major(it);
        }
        let server = builder.start().map_err(|err| scratch(&err))?;
        let database = server.database().map_err(|err| scratch(&err))?;
        let bench =
            Bench { settings, migrations: Migrations::from_directory(&directory), database };
        match bench.all(&directory, output) {
            Ok(()) => {}
            Err(Wrong::Error(err)) => return Ok(output.failed(&err)),
            Err(Wrong::Failure(failure)) => return Err(failure),
        }
        let verified = verified(&directory, &server);
        output.result(&verified, || told(&verified));
        Ok(Exit::Done)
    }
}

/// A scratch database, and what is tried on it.
struct Bench<'a> {
    settings: Target,
    migrations: Migrations,
    database: Database<'a>,
}

impl Bench<'_> {
    fn all(&self, directory: &Directory, output: &Output) -> Result<(), Wrong> {
        let mut before = self.copy()?;
        let many = directory.migrations().len();
        for (it, place) in directory.migrations().iter().zip(1..) {
            output.note(&format!("replaying {} ({place} of {many})", title(it)));
            self.migrate(it, Way::Up)?;
            let after = self.copy()?;
            if let Some(down) = &it.down {
                self.migrate(it, Way::Down)?;
                let what = "the down side does not lead back to the schema before the migration";
                self.compare(&before, what, &down.path)?;
                self.migrate(it, Way::Up)?;
                let what =
                    "applied again, the migration does not make the schema of the first time";
                self.compare(&after, what, &it.up.path)?;
            }
            before = after;
        }
        Ok(())
    }

    fn copy(&self) -> Result<Database<'_>, Wrong> {
        self.database.copy().map_err(|err| Wrong::Failure(scratch(&err)))
    }

    /// Goes one migration up or down, on connections that are closed afterwards.
    fn migrate(&self, it: &Migration, way: Way) -> Result<(), Wrong> {
        let done = block_on(async {
            let pool = connection::local(&self.database.url())?;
            let migrate = async {
                let migrations = self.migrations.up_to(&it.version)?;
                let builder = Migrator::builder(migrations, pool);
                let migrator = self.settings.apply_alone(builder).build()?;
                match way {
                    Way::Up => migrator.up().await,
                    Way::Down => {
                        let mut plan = migrator.plan_down(Rollback::Steps(1)).await?;
                        plan.accept_loss();
                        migrator.apply(&plan).await
                    }
                }
            };
            Ok(migrate.await)
        });
        done.map_err(Wrong::Failure)?.map(drop).map_err(Wrong::Error)
    }

    fn compare(&self, expected: &Database<'_>, what: &str, path: &str) -> Result<(), Wrong> {
        let without = Without { schemas: &[self.settings.own_schema()], tables: &[] };
        let difference = expected.difference(&self.database.url(), &without);
        match difference.map_err(|err| Wrong::Failure(scratch(&err)))? {
            None => Ok(()),
            Some(it) => Err(Wrong::Failure(
                Failure::new(Exit::Failed, what)
                    .file(path)
                    .more("`-` is what should be there, `+` is what is there:")
                    .more(it.trim_end().replace('\n', "\n  "))
                    .help("mend the down side; it may be changed at any time"),
            )),
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

fn title(it: &Migration) -> String {
    it.file.strip_suffix(".sql").unwrap_or(&it.file).to_owned()
}

fn verified(directory: &Directory, server: &Server) -> Verified {
    let all = directory.migrations();
    let titles = |which: fn(&&Migration) -> bool| all.iter().filter(which).map(title).collect();
    Verified {
        server_version: server.version().to_string(),
        migrations: all.len(),
        reversible: all.iter().filter(|it| it.down.is_some()).count(),
        irreversible: titles(|it| it.irreversible.is_some()),
        without_down: titles(|it| it.irreversible.is_none() && it.down.is_none()),
    }
}

fn told(it: &Verified) -> String {
    let Verified { server_version, migrations, reversible, irreversible, without_down } = it;
    let mut lines = vec![format!(
        "on PostgreSQL {server_version}, {reversible} of {migrations} migrations lead up, down and \
         up again"
    )];
    lines.extend(irreversible.iter().map(|it| format!("irreversible: {it}")));
    lines.extend(without_down.iter().map(|it| format!("no down side: {it}")));
    lines.join("\n  ")
}
