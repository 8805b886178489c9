//! Commands in messages, made to work where they are pasted.

use std::{env, fmt::Write, path::Path};

use crate::ErrorKind;

/// The options that say which database, history and folder.
const PLACE: [&str; 5] = ["--env", "--url", "--dir", "--app", "--schema"];

/// Those that verbs look at which work on files alone.
const FILES: [&str; 2] = ["--env", "--dir"];

/// Verbs of the `upfront` command: those on databases, and those on files.
const VERBS: [&str; 12] = [
    "status", "plan", "up", "down", "check", "log", "adopt", "baseline", "protect", "release",
    "resolve", "rm",
];
const ON_FILES: [&str; 7] = ["new", "gen", "diff", "schema", "hash", "import", "verify"];

/// Adds the options of this command line to each `` `upfront …` `` of a message, as without them it
/// would work elsewhere.
pub(super) fn completed(message: &str) -> String {
    let mut arguments = env::args();
    let program = arguments.next().unwrap_or_default();
    match Path::new(&program).file_stem().is_some_and(|it| it == "upfront") {
        true => with(message, &given(arguments)),
        // A service's own command has another name, and knows where its database is.
        false => message.to_owned(),
    }
}

/// The options of a command line, with their values.
fn given(arguments: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let mut given = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(it) = arguments.next() {
        let (name, value) = match it.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (it, None),
        };
        if !PLACE.contains(&name.as_str()) {
            continue;
        }
        // `check --schema` may stand alone.
        let value = value.or_else(|| arguments.next_if(|it| !it.starts_with('-')));
        given.extend(value.map(|value| (name, value)));
    }
    given
}

fn with(message: &str, given: &[(String, String)]) -> String {
    const START: &str = "`upfront ";
    let mut completed = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(START) {
        let start = at + 1;
        let Some(length) = rest[start..].find('`') else { break };
        let (before, after) = rest.split_at(start + length);
        completed.push_str(before);
        completed.push_str(&missing(&before[start..], given));
        rest = after;
    }
    completed + rest
}

/// The options that a command lacks.
fn missing(command: &str, given: &[(String, String)]) -> String {
    let words: Vec<_> = command.split_whitespace().collect();
    let taken: &[&str] = match words.get(1) {
        Some(it) if VERBS.contains(it) => &PLACE,
        Some(it) if ON_FILES.contains(it) => &FILES,
        _ => &[],
    };
    let is_there = |name: &str| words.iter().any(|it| it.split('=').next() == Some(name));
    let lacks = given.iter().filter(|(name, _)| taken.contains(&&**name) && !is_there(name));
    let mut missing = String::new();
    for (name, value) in lacks {
        let _ = write!(missing, " {name} {}", shown(value));
    }
    missing
}

/// The command line once more, with other consent. What may hold a password is left out.
pub(super) fn again(arguments: impl Iterator<Item = String>, more: &[String]) -> String {
    let mut words = Vec::new();
    let mut arguments = arguments.peekable();
    let program = arguments.next().unwrap_or_default();
    words.push(
        Path::new(&program)
            .file_name()
            .map_or(program.clone(), |it| it.to_string_lossy().into_owned()),
    );
    while let Some(it) = arguments.next() {
        match it.as_str() {
            "--dry-run" | "--show-secrets" => {}
            "--approve" | "--allow" => drop(arguments.next()),
            it if it.starts_with("--approve=") || it.starts_with("--allow=") => {}
            it => words.push(shown(it)),
        }
    }
    words.extend(more.iter().cloned());
    words.join(" ")
}

/// A word as a shell reads it.
pub(super) fn shown(word: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || "-_=./:,@%+".contains(it);
    let redacted = upfront_redact::redact_message(word);
    match word {
        // It shows what is missing.
        _ if redacted != word => redacted.into_owned(),
        _ if !word.is_empty() && word.chars().all(is_plain) => word.to_owned(),
        _ => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The command that prints the page of a kind of error.
pub(super) fn explaining(kind: ErrorKind) -> String {
    explain_command(env::args(), kind)
}

/// The words before the verb lead to it in a service's own command. `upfront` needs none.
fn explain_command(mut arguments: impl Iterator<Item = String>, kind: ErrorKind) -> String {
    let program = arguments.next().unwrap_or_default();
    let name = Path::new(&program).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut words = vec![shown(&name)];
    if name != "upfront" {
        let before = arguments.take_while(|it| !VERBS.contains(&it.as_str()));
        words.extend(before.filter(|it| !it.starts_with('-')).map(|it| shown(&it)));
    }
    format!("{} explain {kind}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{again, explain_command, given, with};
    use crate::ErrorKind;

    #[test]
    fn adds_what_the_command_line_says() {
        let line = "up --env prod --dir=a/b --app billing --dry-run";
        check(line, "run `upfront hash`", "run `upfront hash --env prod --dir a/b`");
        check(
            line,
            "`upfront baseline 1_a --app billing`, or `up`",
            "`upfront baseline 1_a --app billing --env prod --dir a/b`, or `up`",
        );
        check(line, "`upfront.toml` and `upfront init`", "`upfront.toml` and `upfront init`");
        check("check --schema", "`upfront status`", "`upfront status`");
        check("check --schema --app x", "`upfront status`", "`upfront status --app x`");
        check(
            "up --url postgres://u:p@h/d",
            "`upfront log`",
            "`upfront log --url postgres://u:***@h/d`",
        );
        check("up --dir a", "`upfront never closed", "`upfront never closed");
    }

    fn check(line: &str, message: &str, expected: &str) {
        let given = given(line.split(' ').map(str::to_owned));
        assert_eq!(with(message, &given), expected);
    }

    #[test]
    fn repeats_the_command_with_other_consent() {
        check_again(
            "/usr/bin/upfront down --dry-run --env prod",
            "upfront down --env prod --approve d",
        );
        check_again("upfront down --approve x --allow=data-loss", "upfront down --approve d");
        check_again(
            "upfront --url postgres://u:p@h/d down",
            "upfront --url postgres://u:***@h/d down --approve d",
        );
        check_again(
            "upfront --url=postgres://u:p@h/d down",
            "upfront --url=postgres://u:***@h/d down --approve d",
        );
        check_again(
            "upfront --url postgres://u@h/d down",
            "upfront --url postgres://u@h/d down --approve d",
        );
        check_again("upfront down --dry-run --show-secrets", "upfront down --approve d");
        check_again("upfront down --to $x", "upfront down --to '$x' --approve d");
    }

    fn check_again(line: &str, expected: &str) {
        let arguments = line.split(' ').map(str::to_owned);
        assert_eq!(again(arguments, &["--approve".into(), "d".into()]), expected);
    }

    #[test]
    fn names_the_page_of_an_error() {
        let check = |line: &str, expected: &str| {
            let line = line.split(' ').map(str::to_owned);
            assert_eq!(explain_command(line, ErrorKind::Edited), expected);
        };
        check("/usr/bin/upfront --env prod up", "upfront explain edited");
        check("target/debug/billing migrate up --dry-run", "billing migrate explain edited");
    }
}
