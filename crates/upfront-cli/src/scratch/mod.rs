//! Scratch servers, and how two databases of one are compared.

pub(crate) mod cargo;
pub(crate) mod desired;
pub(crate) mod live_database;
pub(crate) mod replay;
pub(crate) mod row_test;
pub(crate) mod setup;
pub(crate) mod source;
pub(crate) mod staging;

use std::ops::Deref;

use upfront::cli::{Exit, Output};
use upfront_directory::Directory;
use upfront_schema::{Pattern, Roles, Scope};
use upfront_scratch::{Database, Server};

use crate::{config::Project, output::failure::Failure, scratch::source::Source};

/// A server in use.
pub(crate) struct Scratch {
    server: Server,
    /// On a server that is not ours, roles outlive us.
    _roles: Option<Roles>,
}

impl Deref for Scratch {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Starts a server of the major version that is asked for, else of that in `upfront.toml`.
pub(crate) fn start(project: &Project, major: Option<u32>) -> Result<Scratch, Failure> {
    let asked = major.map(|it| (it, "`--major`".to_owned()));
    start_as(project, agreed(project.scratch_version(), asked.as_slice())?)
}

/// The same for sources, of which databases bring their own version.
pub(crate) fn start_for(project: &Project, sources: &[&Source]) -> Result<Scratch, Failure> {
    let major = |it: &&Source| Some((it.major()?, it.words()));
    let majors: Vec<_> = sources.iter().filter_map(major).collect();
    start_as(project, agreed(project.scratch_version(), &majors)?)
}

fn start_as(project: &Project, major: Option<u32>) -> Result<Scratch, Failure> {
    let mut builder = Server::builder();
    if let Some(it) = major {
        builder = builder.major(it);
    }
    let server = builder.start().map_err(|err| failed(&err))?;
    let is_given = server.socket_dir().is_none();
    let roles = is_given.then(|| Roles::of(&server)).transpose();
    let scratch = Scratch { _roles: roles.map_err(|err| of_schema(&err))?, server };
    setup::prepare(project, &scratch)?;
    Ok(scratch)
}

/// The one major version that the settings and all others have.
fn agreed(configured: Option<u32>, asked: &[(u32, String)]) -> Result<Option<u32>, Failure> {
    let configured = configured.map(|it| (it, "`[scratch] version`".to_owned()));
    let all: Vec<_> = configured.into_iter().chain(asked.iter().cloned()).collect();
    let Some((first, whose)) = all.first() else { return Ok(None) };
    match all.iter().find(|(major, _)| major != first) {
        None => Ok(Some(*first)),
        Some((other, whose_other)) => {
            let title = format!("{whose} is PostgreSQL {first}, and {whose_other} is {other}");
            Err(Failure::mistake(title).help(
                "schemas are compared on one server, whose texts differ from version to version; \
                 `[scratch] version` is to be that of the servers in use",
            ))
        }
    }
}

/// Warns of names that PostgreSQL cuts.
pub(crate) fn warn_of_names(texts: &[(String, String)], output: &Output) {
    for it in upfront_schema::truncated_names(texts) {
        output.warning(&it);
    }
}

/// Warns of rows in a schema that is wanted.
pub(crate) fn warn_of_rows(
    project: &Project,
    wanted: &Database<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let scope = scope(project, &[])?;
    let with_rows =
        upfront_schema::tables_with_rows(wanted, &scope).map_err(|err| of_schema(&err))?;
    if !with_rows.is_empty() {
        output.warning(&format!(
            "rows are no part of a schema, and no migration will insert those of {}",
            with_rows.join(", ")
        ));
    }
    Ok(())
}

/// Loads SQL that somebody named.
pub(crate) fn load(
    project: &Project,
    database: &Database<'_>,
    texts: Vec<(String, String)>,
    output: &Output,
) -> Result<(), Failure> {
    warn_of_names(&texts, output);
    let scope = scope(project, &[])?;
    upfront_schema::load_within(database, texts, &scope).map_err(|err| of_schema(&err))?;
    warn_of_rows(project, database, output)
}

/// Whether the scratch server has an extension.
pub(crate) fn has_extension(server: &Server, name: &str) -> Result<bool, Failure> {
    upfront_schema::has_extension(server, name).map_err(|err| of_schema(&err))
}

/// Looks whether the scratch server has what migrations want, before they are replayed.
pub(crate) fn preflight(database: &Database<'_>, directory: &Directory) -> Result<(), Failure> {
    upfront_schema::preflight(database, directory).map_err(|err| of_schema(&err))
}

/// A scratch server that cannot be had.
pub(crate) fn failed(err: &upfront_scratch::Error) -> Failure {
    Failure::new(Exit::Failed, format!("the scratch server failed: {err}"))
}

/// Makes the role that migrations miss; whether that is what they stopped at.
pub(crate) fn make_role(database: &Database<'_>, err: &upfront::Error) -> Result<bool, Failure> {
    upfront_schema::create_missing_role(database, &err.to_string()).map_err(|err| of_schema(&err))
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
    scope.exclude = excluded(project);
    scope.setup = project.setup.get().cloned().unwrap_or_default();
    if let Some(schemas) = project.schemas() {
        scope.narrow(schemas, databases).map_err(|err| of_schema(&err))?;
    }
    Ok(scope)
}

/// What is left alone by its name: other tools' histories, what `upfront.toml` names, and what
/// belongs to the service of the preset.
pub(crate) fn excluded(project: &Project) -> Vec<Pattern> {
    let names = upfront::history_tables();
    let kinds = ["table", "sequence"].into_iter();
    let histories = kinds.flat_map(|kind| names.iter().map(move |it| format!("{kind} *.{it}")));
    // These schemas hold a history and nothing else.
    let schemas = ["atlas_schema_revisions", "drizzle", "graphile_migrate", "pgroll", "sqitch"];
    let schemas = schemas.iter().map(|it| format!("schema {it}"));
    let tools = project.missing_tools.get().into_iter().flatten();
    let tools = tools.map(|it| format!("extension {it}"));
    let never = histories.chain(schemas).chain(tools).map(|it| it.parse::<Pattern>());
    let never = never.map(|it| it.expect("these patterns are well formed"));
    never.chain(project.exclude()).collect()
}

/// The same for the two that are compared, one of which has to have each schema that counts.
pub(crate) fn scope_of_both(
    project: &Project,
    both: &[&Database<'_>; 2],
) -> Result<Scope, Failure> {
    let schemas = project.schemas().unwrap_or_default();
    let missing = Scope::missing(schemas, both).map_err(|err| of_schema(&err))?;
    match missing.first() {
        None => scope(project, both),
        Some(it) => {
            Err(Failure::mistake(format!("`schemas` names `{it}`, which neither of the two has"))
                .help(
                    "take it out of `schemas` in `[desired]` of `upfront.toml`, or write it right",
                ))
        }
    }
}

/// What the comparison of schemas or the writing of SQL has against it.
pub(crate) fn of_schema(err: &upfront_schema::Error) -> Failure {
    let exit = match err {
        it if it.is_input() => Exit::Mistaken,
        it if it.is_refused() || it.is_unmodeled() => Exit::Refused,
        _ => Exit::Failed,
    };
    let text = err.to_string();
    let mut lines = text.lines();
    let title = lines.next().unwrap_or_default().to_owned();
    let line = |it: Failure, line: &str| match line.strip_prefix("help: ") {
        Some(help) => it.help(help),
        None => it.more(line.trim_end()),
    };
    let failure = lines.fold(Failure::new(exit, title), line);
    match () {
        () if err.is_refused() => {
            failure.help("`--using TABLE.COLUMN=EXPRESSION` tells how values become others")
        }
        () if err.is_unmodeled() => failure.help("`exclude` in `[desired]` leaves objects alone"),
        () if err.is_missing_object() => failure.help(setup::MISSING),
        () => failure,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_debug_snapshot;

    use super::agreed;

    #[test]
    fn all_have_one_version() {
        let check = |configured: Option<u32>, asked: &[(u32, &str)]| {
            let asked: Vec<_> =
                asked.iter().map(|(it, whose)| (*it, (*whose).to_owned())).collect();
            agreed(configured, &asked).map_err(|err| err.line())
        };
        let from = |major| (major, "the database of `--from`");
        let to = |major| (major, "the database of `--to`");
        assert_debug_snapshot!([
            check(None, &[]),
            check(Some(15), &[]),
            check(None, &[from(15), to(15)]),
            check(Some(15), &[from(15)]),
            check(Some(15), &[(16, "`--major`")]),
            check(Some(15), &[from(16)]),
            check(Some(15), &[from(15), to(16)]),
            check(None, &[from(15), to(16)]),
        ]);
    }
}
