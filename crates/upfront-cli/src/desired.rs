//! The schema that is wanted, built on a scratch server by what `[desired]` names.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output as Outcome, Stdio},
};

use upfront::cli::Exit;
use upfront_scratch::{Database, Server};

use crate::{
    failure::Failure,
    project::{Desired, Project},
    scratch,
};

/// Builds it.
pub(crate) fn build<'s>(project: &Project, server: &'s Server) -> Result<Database<'s>, Failure> {
    let desired = project.desired()?.ok_or_else(|| {
        Failure::mistake("nothing says which schema is wanted")
            .help("add `[desired]` with `sql = [\"schema.sql\"]` to `upfront.toml`")
    })?;
    let database = scratch::database(server)?;
    let mut texts = files(&desired)?;
    if let Some(command) = &desired.command {
        let printed = run(command, &desired.root, &database)?;
        if printed.trim().is_empty() && is_empty(project, &database)? {
            return Err(Failure::mistake("the command of `[desired]` printed nothing").more(shown(command)).help(
                "let it print the SQL of the schema, or build the schema at `$UPFRONT_SCRATCH_URL`",
            ));
        }
        texts.push((format!("output of `{command}`"), printed));
    }
    upfront_schema::load(&database, texts).map_err(|err| scratch::of_schema(&err))?;
    Ok(database)
}

/// What the command has built; it may have its own tables of history.
fn is_empty(project: &Project, database: &Database<'_>) -> Result<bool, Failure> {
    let empty = scratch::database(database.server())?;
    let scope = scratch::scope(project, &[database])?;
    let differences = upfront_schema::compare(&empty, database, &scope);
    Ok(differences.map_err(|err| scratch::of_schema(&err))?.is_empty())
}

/// The texts of all files, in the order of their names.
fn files(desired: &Desired) -> Result<Vec<(String, String)>, Failure> {
    let mut texts = Vec::new();
    for it in &desired.sql {
        texts.extend(self::texts(&it.path, &it.label)?);
    }
    Ok(texts)
}

/// The text of a file, or of all `.sql` files in a folder.
pub(crate) fn texts(path: &Path, label: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut texts = Vec::new();
    walk(path, label, &mut texts)?;
    match texts.is_empty() {
        true => Err(Failure::mistake(format!("there is no `.sql` file in `{label}`"))),
        false => Ok(texts),
    }
}

fn walk(path: &Path, label: &str, texts: &mut Vec<(String, String)>) -> Result<(), Failure> {
    let failed = |err: &std::io::Error| Failure::mistake(format!("cannot read `{label}`: {err}"));
    if !path.is_dir() {
        texts.push((label.to_owned(), fs::read_to_string(path).map_err(|err| failed(&err))?));
        return Ok(());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> =
        entries.map_err(|err| failed(&err))?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    paths.retain(|it| it.is_dir() || it.extension().is_some_and(|it| it == "sql"));
    for it in paths {
        let name = it.file_name().unwrap_or_default().to_string_lossy().into_owned();
        walk(&it, &format!("{label}/{name}"), texts)?;
    }
    Ok(())
}

/// Runs the command of a shell; what it prints.
fn run(command: &str, root: &Path, database: &Database<'_>) -> Result<String, Failure> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let outcome = Command::new("sh")
        .args(["-c", command])
        .current_dir(root)
        .env("UPFRONT_SCRATCH_URL", database.url())
        .stdin(Stdio::null())
        .output();
    let outcome =
        outcome.map_err(|err| Failure::new(Exit::Failed, format!("cannot run a shell: {err}")))?;
    if !outcome.status.success() {
        return Err(failed(command, &outcome));
    }
    String::from_utf8(outcome.stdout).map_err(|_| {
        Failure::mistake("the command of `[desired]` prints no UTF-8").more(shown(command))
    })
}

fn failed(command: &str, outcome: &Outcome) -> Failure {
    const LINES: usize = 20;
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<_> = text.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let failure =
        Failure::mistake(format!("the command of `[desired]` failed: {}", outcome.status));
    last.iter().fold(failure.more(shown(command)), |it, line| it.more(*line))
}

fn shown(command: &str) -> String {
    format!("command: {command}")
}
