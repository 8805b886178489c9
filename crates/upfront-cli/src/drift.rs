//! `check --schema`: whether a database still has the schema that its migrations make.

use upfront::cli::{Exit, Output, Verb};
use upfront_schema::compare;

use crate::{
    adopt::major,
    database::{self, Needs},
    differences::{self, Ends},
    failure::Failure,
    project::Project,
    scratch,
    source::Source,
};

/// Checks the history, and then compares the schema.
pub(crate) fn run(verb: &Verb, project: &Project, output: &Output) -> Result<Exit, Failure> {
    let mut live = None;
    let checked = database::with(project, output, Needs::Folder, async |it| {
        let operator = upfront::cli::Operator::Person { protected: it.target.protected.clone() };
        let exit = verb.run(&it.migrator, &operator, output).await;
        live =
            Some(Source::Live { libpq: it.address.libpq.clone(), major: major(&it.pool).await? });
        Ok(exit)
    })?;
    match live {
        Some(live) if checked == Exit::Done => against(&live, project, output),
        _ => Ok(checked),
    }
}

fn against(live: &Source, project: &Project, output: &Output) -> Result<Exit, Failure> {
    let migrations = Source::Migrations(project.folder()?);
    let server = scratch::start_for(project, &[live])?;
    let made = migrations.build(project, &server)?;
    let found = live.build(project, &server)?;
    let scope = scratch::scope(project, &[&made, &found])?;
    let all = compare(&made, &found, &scope).map_err(|err| scratch::of_schema(&err))?;
    if all.is_empty() {
        output.note("the schema is what the migrations make");
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
