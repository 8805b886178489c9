//! `[scratch] preset` and `setup`: what scratch databases have before migrations are replayed.

use upfront::cli::Output;
use upfront_directory::{Directory, ServerRequirement, server_requirement};
use upfront_schema::{ObjectKind, Setup};
use upfront_scratch::Server;

use crate::{
    config::{Project, Source, preset::Preset, sql_files},
    exit::MISSING,
    output::failure::Failure,
    scratch::{self, scope},
};

/// Lets each database of the server begin with it.
pub(crate) fn prepare(project: &Project, server: &Server) -> Result<(), Failure> {
    let texts = texts(project)?;
    if texts.is_empty() {
        return Ok(());
    }
    let schemas = project.preset().map(Preset::schemas).unwrap_or_default();
    server
        .prepare(|database| {
            let setup = Setup::run(database, texts)?;
            // A command has one scratch server.
            let _ = project.setup.set(setup.with_schemas(schemas));
            Ok(())
        })
        .map_err(failed)?;
    let missing = missing_tools(project, server)?;
    let _ = project.missing_tools.set(missing);
    Ok(())
}

/// The tools of the preset that the server does not have, and extensions of it that could not be
/// created there.
fn missing_tools(project: &Project, server: &Server) -> Result<Vec<&'static str>, Failure> {
    let Some(preset) = project.preset() else { return Ok(Vec::new()) };
    let is_made = |it: &str| project.setup.get().is_some_and(|setup| setup.has_extension(it));
    let mut missing = Vec::new();
    for it in preset.tools() {
        if !scratch::has_extension(server, it)? {
            missing.push(*it);
        }
    }
    missing.extend(preset.replaced().iter().filter(|it| !is_made(it)));
    Ok(missing)
}

fn texts(project: &Project) -> Result<Vec<(String, String)>, Failure> {
    let preset = project.preset();
    let preset = preset.map(|it| (format!("preset `{}`", it.name()), it.sql().to_owned()));
    let mut texts: Vec<_> = preset.into_iter().collect();
    for Source { path, label } in project.scratch_setup()? {
        texts.extend(sql_files::texts(&path, &label)?);
    }
    Ok(texts)
}

fn failed(err: upfront_schema::Error) -> Failure {
    Failure::from(err).more("this is the setup of scratch databases, in `[scratch]`")
}

/// A replay that failed.
pub(crate) fn replay_failed(err: upfront::Error) -> Failure {
    // Schemas, tables, functions, and what else has a name.
    const CODES: [&str; 4] = ["3F000", "42P01", "42883", "42704"];
    let is_missing = err.server_error().is_some_and(|it| CODES.contains(&it.sqlstate.as_str()));
    let failure = Failure::from(err);
    match is_missing {
        true => failure.help(MISSING),
        false => failure.more("this happened on the scratch server"),
    }
}

/// A directory as the scratch server can replay it: without the extensions that it does not have
/// and that are excluded, and those that the preset replaces.
pub(crate) fn replayable(
    project: &Project,
    server: &Server,
    directory: Directory,
) -> Result<Directory, Failure> {
    let skipped = skipped(project, server, &directory)?;
    Ok(directory.without_statements(|sql| extension(sql).is_some_and(|it| skipped.contains(&it))))
}

/// Names the extensions that are not created on the scratch server.
pub(crate) fn note_skipped(
    project: &Project,
    server: &Server,
    directory: &Directory,
    output: &Output,
) -> Result<(), Failure> {
    let skipped = skipped(project, server, directory)?;
    if !skipped.is_empty() {
        output
            .note(&format!("not created on the scratch server: extension {}", skipped.join(", ")));
    }
    Ok(())
}

/// The extensions whose statements are skipped.
fn skipped(
    project: &Project,
    server: &Server,
    directory: &Directory,
) -> Result<Vec<String>, Failure> {
    let sides = directory.migrations().iter().flat_map(|it| [Some(&it.up), it.down.as_ref()]);
    let statements = sides
        .flatten()
        .flat_map(|side| side.statements.iter().map(|it| &side.body[it.range.clone()]));
    let mut named: Vec<String> = statements.filter_map(extension).collect();
    named.sort();
    named.dedup();
    let stand_ins = project.preset().map(Preset::stand_ins).unwrap_or_default();
    let excluded = scope::excluded(project);
    let missing = project.missing_tools.get().map(Vec::as_slice).unwrap_or_default();
    let mut skipped = Vec::new();
    for name in named {
        let is_left_alone = excluded.iter().any(|it| it.names(ObjectKind::Extension, &name));
        if stand_ins.contains(&name.as_str())
            || missing.contains(&name.as_str())
            || is_left_alone && !scratch::has_extension(server, &name)?
        {
            skipped.push(name);
        }
    }
    Ok(skipped)
}

/// The extension that a statement creates, changes or drops.
fn extension(sql: &str) -> Option<String> {
    if let Some(
        ServerRequirement::Extension { name, .. } | ServerRequirement::ExtensionComment(name),
    ) = server_requirement(sql)
    {
        return Some(name);
    }
    let mut words = sql.split_whitespace().map(|it| it.trim_end_matches(';'));
    let verb = words.next()?;
    let is = |word: &str, it: &str| it.eq_ignore_ascii_case(word);
    if !(is("DROP", verb) || is("ALTER", verb)) || !is("EXTENSION", words.next()?) {
        return None;
    }
    let name = words.find(|it| !is("IF", it) && !is("EXISTS", it))?;
    match name.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(quoted) => Some(quoted.to_owned()),
        None => Some(name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn knows_the_extension_of_a_statement() {
        let check = |sql, name: Option<&str>| {
            assert_eq!(super::extension(sql).as_deref(), name, "{sql}");
        };
        check("create extension if not exists pg_cron with schema extensions", Some("pg_cron"));
        check("COMMENT ON EXTENSION pg_net IS 'x'", Some("pg_net"));
        check("drop extension if exists \"uuid-ossp\"", Some("uuid-ossp"));
        check("DROP EXTENSION PG_CRON;", Some("pg_cron"));
        check("alter extension pg_net update", Some("pg_net"));
        check("drop table extension", None);
    }
}
