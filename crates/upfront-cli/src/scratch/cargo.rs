//! The models of a crate, printed by a program of it that Cargo builds and runs.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    process::{Command, Output as Outcome, Stdio},
    thread,
};

use upfront::cli::{Exit, Output};

use crate::{
    config::Models,
    output::{failure::Failure, progress::Stage},
};

/// The example that `upfront init` writes.
pub(crate) const EXAMPLE: &str = "upfront_models";

/// What messages call the SQL.
pub(crate) const LABEL: &str = "the models";

/// The SQL of the models. What Cargo and the program have to say goes to the standard error.
pub(crate) fn printed(models: &Models, root: &Path, output: &Output) -> Result<String, Failure> {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let words = words(models);
    let shown = format!("command: cargo {}", words.join(" "));
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let mut command = Command::new(&program);
    command.args(&words).current_dir(root).stdin(Stdio::null());
    let stage = Stage::begin(output, "asking Cargo for the models");
    let outcome = watched(&mut command, &stage).map_err(|err| {
        let title = format!("cannot run `{}`: {err}", program.display());
        Failure::new(Exit::Failed, title).more(shown.as_str())
    })?;
    drop(stage);
    if !outcome.status.success() {
        return Err(failed(&outcome, &shown));
    }
    let said = String::from_utf8_lossy(&outcome.stderr);
    said.lines().filter(|it| status(it).is_none()).for_each(|it| output.note(it));
    match String::from_utf8(outcome.stdout) {
        Ok(it) if !it.trim().is_empty() => Ok(it),
        Ok(_) => Err(Failure::mistake("the models are empty: nothing was printed")
            .more(shown)
            .help("let the program return `upfront::model::print()` from `main`")),
        Err(_) => Err(Failure::mistake("the models are no UTF-8").more(shown)),
    }
}

/// Runs Cargo, and shows what it is doing.
fn watched(command: &mut Command, stage: &Stage) -> io::Result<Outcome> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().map(|mut it| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            it.read_to_end(&mut bytes).map(|_| bytes)
        })
    });
    let mut stderr = Vec::new();
    for line in child.stderr.take().map(BufReader::new).into_iter().flat_map(|it| it.split(b'\n')) {
        let line = line?;
        if let Some(it) = status(&String::from_utf8_lossy(&line)) {
            show(it, stage);
        }
        stderr.extend(line.iter().chain(b"\n"));
    }
    let stdout = stdout.map(thread::JoinHandle::join).and_then(Result::ok);
    let stdout = stdout.unwrap_or_else(|| Ok(Vec::new()))?;
    Ok(Outcome { status: child.wait()?, stdout, stderr })
}

fn show(status: &str, stage: &Stage) {
    match status.starts_with("Blocking") {
        true => stage.say("waiting for Cargo's lock: another cargo is running"),
        false => stage.step(|| format!("Cargo: {status}")),
    }
}

/// What Cargo says of its own work, its verb flush right in twelve columns.
fn status(line: &str) -> Option<&str> {
    const VERBS: [&str; 13] = [
        "Adding",
        "Blocking",
        "Checking",
        "Compiling",
        "Dirty",
        "Downloaded",
        "Downloading",
        "Finished",
        "Fresh",
        "Locking",
        "Replacing",
        "Running",
        "Updating",
    ];
    let text = line.trim_start();
    let verb = text.split(' ').next().unwrap_or_default();
    let is_flush_right = line.len() - text.len() + verb.len() == 12;
    (is_flush_right && VERBS.contains(&verb)).then_some(text)
}

/// What Cargo is asked for.
fn words(it: &Models) -> Vec<String> {
    let mut words = vec!["run".to_owned()];
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    if let Some(package) = &it.package {
        option("--package", package);
    }
    if !it.features.is_empty() {
        option("--features", &it.features.join(","));
    }
    match &it.bin {
        Some(bin) => option("--bin", bin),
        None => option("--example", it.example.as_deref().unwrap_or(EXAMPLE)),
    }
    if !it.arguments.is_empty() {
        words.push("--".to_owned());
        words.extend(it.arguments.iter().cloned());
    }
    words
}

fn failed(outcome: &Outcome, shown: &str) -> Failure {
    const LINES: usize = 30;
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<_> = text.trim_end().lines().filter(|it| status(it).is_none()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let failure = Failure::mistake(format!("the models were not printed: {}", outcome.status));
    let failure = last.iter().fold(failure.more(shown), |it, line| it.more(*line));
    match text.contains("no example target named") {
        true => failure.help("`upfront init --models` writes the example"),
        false => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::{Models, status, words};

    #[test]
    fn knows_what_cargo_says_of_its_own_work() {
        let check = |line, expected| assert_eq!(status(line), expected, "{line}");
        check(
            "    Blocking waiting for file lock on build directory",
            Some("Blocking waiting for file lock on build directory"),
        );
        check("   Compiling shop v1.0.0 (/shop)", Some("Compiling shop v1.0.0 (/shop)"));
        check("Compiling is what I do", None);
        check("warning: struct `Shop` without a primary key", None);
        check("", None);
    }

    #[test]
    fn asks_cargo_for_the_program() {
        let check = |it: &Models, expected: &str| assert_eq!(words(it).join(" "), expected);
        let mut it = Models::default();
        check(&it, "run --example upfront_models");
        it.package = Some("shop".into());
        it.features = vec!["a".into(), "b/c".into()];
        check(&it, "run --package shop --features a,b/c --example upfront_models");
        it.bin = Some("shop".into());
        it.arguments = vec!["print-models".into()];
        check(&it, "run --package shop --features a,b/c --bin shop -- print-models");
    }
}
