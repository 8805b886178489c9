//! `check --schema`: whether a database still has the schema that its migrations make.

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_schema::compare;

use crate::{
    config::Project,
    connection::{
        database::{self, Requires},
        versions::major,
    },
    output::{
        differences::{self, Ends},
        failure::Failure,
    },
    scratch::{live_database::LiveDatabase, scope, server, source::Source},
};

#[derive(Serialize)]
struct Checked {
    settled: bool,
    drifted: bool,
}

/// Checks the history, and then compares the schema.
pub(crate) fn run(project: &Project, output: &Output) -> Result<Exit, Failure> {
    let mut live = None;
    let checked = database::with(project, output, Requires::Folder, async |it| {
        if let Err(err) = it.migrator.check().await {
            return Ok(output.failed(&err));
        }
        let major = major(&it.pool).await?;
        let found = LiveDatabase::ask(&it.pool, project).await?;
        found.warn(project, output);
        let libpq = it.address.libpq.clone();
        live = Some(Source::Live { libpq, major, end: "the database", found });
        Ok(Exit::Done)
    })?;
    match live {
        Some(live) => against(&live, project, output),
        None => Ok(checked),
    }
}

fn against(live: &Source, project: &Project, output: &Output) -> Result<Exit, Failure> {
    let migrations = Source::Migrations(project.folder()?);
    let server = server::start_for(project, &[live])?;
    let made = migrations.build(project, &server, output)?;
    let found = live.build(project, &server, output)?;
    let mut scope = scope::scope_of_both(project, &[&made, &found])?;
    live.narrow(&mut scope);
    let all = compare(&made, &found, &scope)?;
    if all.is_empty() {
        let text = "nothing is pending, and the schema is what the migrations make";
        output.result(&Checked { settled: true, drifted: false }, || text.to_owned());
        return Ok(Exit::Done);
    }
    let ends = Ends { first: "the migrations", second: "the database" };
    let title = "the schema is not what the migrations make";
    let failure = Failure::new(Exit::Diverged, title);
    let lines = differences::words(&all, &ends);
    Err(lines.into_iter().fold(failure, Failure::more).help(
        "`upfront diff --from URL --to DIR` prints the SQL that takes it back; `exclude` in \
         `[desired]` leaves objects alone",
    ))
}
