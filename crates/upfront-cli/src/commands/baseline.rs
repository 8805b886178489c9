//! `baseline`

use std::thread;

use upfront::cli::{Exit, Output};
use upfront_schema::{compare, uncompared_differences};

use crate::{
    commands::adopt::print_report,
    config::Project,
    connection::{
        database::{Database, Requires, with},
        versions::major,
    },
    output::{
        differences::{self, Ends},
        failure::Failure,
    },
    scratch::{
        live_database::LiveDatabase, replay::ReplayDatabase, scope, server, setup, source::Source,
    },
};

/// Options of `baseline`.
///
/// The migrations up to the version are applied to a scratch server first, and the schema that
/// they make must be the database's.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Baseline {
    /// The newest migration that the database has
    pub(crate) version: String,
    /// Compare, show what would be recorded, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not compare the database with what the migrations make
    #[arg(long)]
    pub(crate) unchecked: bool,
}

impl Baseline {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        with(project, output, Requires::Folder, async |it| {
            let plan = match it.migrator.plan_baseline(&self.version).await {
                Ok(plan) => plan,
                Err(err) => return Ok(output.failed(&err)),
            };
            if !self.unchecked {
                self.compare(it, project, output).await?;
            }
            Ok(match self.dry_run {
                true => print_report(Ok(plan), output),
                false => print_report(it.migrator.baseline(&self.version).await, output),
            })
        })
    }

    /// Replays the migrations, and compares as `check --schema` does, without privileges: they name
    /// roles, which other tools leave to the administrator of the server.
    pub(crate) async fn compare(
        &self,
        it: &Database,
        project: &Project,
        output: &Output,
    ) -> Result<(), Failure> {
        let major = major(&it.pool).await?;
        let found = LiveDatabase::ask(&it.pool, project).await?;
        found.warn(project, output);
        let libpq = it.address.libpq.clone();
        let live = Source::Live { libpq, major, end: "the database", found };
        // What replays has a runtime of its own.
        thread::scope(|scope| scope.spawn(|| self.against(&live, project, output)).join())
            .expect("a comparison does not panic")
    }

    pub(crate) fn against(
        &self,
        live: &Source,
        project: &Project,
        output: &Output,
    ) -> Result<(), Failure> {
        let server = server::start_for(project, &[live])?;
        let directory = setup::replayable(project, &server, project.folder()?.read()?)?;
        let made = ReplayDatabase::new(project, &server, &directory)?;
        made.up_to(&self.version)?;
        let found = live.build(project, &server, output)?;
        let mut scope = scope::scope(project, &[&made.database, &found])?;
        live.narrow(&mut scope);
        let mut all = compare(&made.database, &found, &scope)?;
        all.retain(|it| !it.is_about_privileges());
        let order = uncompared_differences(&found, &made.database, &scope)?;
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
