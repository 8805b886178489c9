//! Scratch servers, and how two databases of one are compared.

use upfront::cli::Exit;
use upfront_schema::Scope;
use upfront_scratch::{Database, Server};

use crate::{failure::Failure, project::Project, source::Source};

/// Starts a server of the major version that is asked for, else of that in `upfront.toml`.
pub(crate) fn start(project: &Project, major: Option<u32>) -> Result<Server, Failure> {
    let configured = project.scratch_version();
    if let (Some(asked), Some(configured)) = (major, configured)
        && asked != configured
    {
        return Err(other_version(configured, asked));
    }
    let mut builder = Server::builder();
    if let Some(it) = major.or(configured) {
        builder = builder.major(it);
    }
    let server = builder.start().map_err(|err| failed(&err))?;
    match major.or(configured) {
        Some(it) if it != server.version().major() => {
            Err(other_version(it, server.version().major()))
        }
        _ => Ok(server),
    }
}

/// The same for sources, of which databases bring their own version.
pub(crate) fn start_for(project: &Project, sources: &[&Source]) -> Result<Server, Failure> {
    let mut majors: Vec<_> = sources.iter().filter_map(|it| it.major()).collect();
    majors.dedup();
    match majors.as_slice() {
        [one, other, ..] => Err(other_version(*one, *other)),
        all => start(project, all.first().copied()),
    }
}

fn other_version(configured: u32, other: u32) -> Failure {
    let title = format!("PostgreSQL {configured} is asked for, and this is {other}");
    Failure::mistake(title).help("`[scratch] version` has to be that of the servers in use")
}

/// A scratch server that cannot be had.
pub(crate) fn failed(err: &upfront_scratch::Error) -> Failure {
    Failure::new(Exit::Failed, format!("the scratch server failed: {err}"))
}

/// An empty database.
pub(crate) fn database(server: &Server) -> Result<Database<'_>, Failure> {
    server.database().map_err(|err| failed(&err))
}

/// A copy of a database.
pub(crate) fn copy<'s>(of: &Database<'s>) -> Result<Database<'s>, Failure> {
    of.copy().map_err(|err| failed(&err))
}

/// What of these databases is compared: not upfront's own schema, not other tools' histories, and
/// not what `upfront.toml` leaves out.
pub(crate) fn scope(project: &Project, databases: &[&Database<'_>]) -> Result<Scope, Failure> {
    let settings = project.settings()?;
    let mut scope =
        Scope { without_schemas: vec![settings.own_schema().to_owned()], ..Scope::default() };
    let names = upfront::history_tables();
    let kinds = ["table", "sequence"].into_iter();
    let histories = kinds.flat_map(|kind| names.iter().map(move |it| format!("{kind} *.{it}")));
    let atlas = "schema atlas_schema_revisions".to_owned();
    scope.exclude = histories.chain([atlas]).filter_map(|it| it.parse().ok()).collect();
    scope.exclude.extend(project.exclude().iter().cloned());
    if let Some(schemas) = project.schemas() {
        scope.narrow(schemas, databases).map_err(|err| of_schema(&err))?;
    }
    Ok(scope)
}

/// What the comparison of schemas or the writing of SQL has against it.
pub(crate) fn of_schema(err: &upfront_schema::Error) -> Failure {
    let exit = match err {
        it if it.is_input() => Exit::Mistaken,
        it if it.is_refused() || it.is_not_modelled() => Exit::Refused,
        _ => Exit::Failed,
    };
    let text = err.to_string();
    let mut lines = text.lines();
    let title = lines.next().unwrap_or_default().to_owned();
    let failure = lines.fold(Failure::new(exit, title), |it, line| it.more(line.trim_end()));
    match () {
        () if err.is_refused() => {
            failure.help("`--using TABLE.COLUMN=EXPRESSION` tells how values become others")
        }
        () if err.is_not_modelled() => {
            failure.help("`exclude` in `[desired]` leaves objects alone")
        }
        () => failure,
    }
}
