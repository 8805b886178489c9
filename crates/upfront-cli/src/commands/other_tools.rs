//! What people type who come from another tool, and the command of upfront for it.

use std::fmt::Write;

/// Options with a value, which is no word of a command.
const WITH_VALUE: [&str; 10] = [
    "--env",
    "--url",
    "--dir",
    "--app",
    "--schema",
    "--trusted-owner",
    "--format",
    "--color",
    "--to",
    "-u",
];

/// The words of a command line that are no options.
pub(crate) fn words(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut words = Vec::new();
    let mut arguments = arguments.skip(1);
    while let Some(it) = arguments.next() {
        if WITH_VALUE.contains(&it.as_str()) {
            arguments.next();
        } else if !it.starts_with('-') {
            words.push(it);
        }
    }
    words
}

/// The message for a command line that another tool would understand.
pub(crate) fn hint(words: &[String]) -> Option<String> {
    /// They are upfront's, too, without more words.
    const ALIASES: [&str; 6] = ["migrate", "apply", "run", "info", "add", "create"];
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    if matches!(words.as_slice(), [it] if ALIASES.contains(it)) {
        return None;
    }
    if words.first().is_some_and(|it| ["up", "down", "status"].contains(it)) {
        return None;
    }
    let (command, what) = of_verb(&words)?;
    let mut text = format!("`upfront {}` is not a command of upfront", words.join(" "));
    let _ = write!(text, "\n  help: {what}: `{}`", filled(command, &words));
    Some(text)
}

/// The command with the name, version or number that was typed.
fn filled(command: &str, words: &[&str]) -> String {
    let last = words.get(1..).and_then(<[_]>::last).filter(|_| words.len() > 2);
    let last = last.or_else(|| words.get(1).filter(|_| words[0] != "migrate"));
    match last {
        Some(it) if command == "upfront down" && it.parse::<u32>().is_ok() => {
            format!("{command} --steps {it}")
        }
        Some(it) => command.replace("NAME", it).replace("VERSION", it),
        None => command.to_owned(),
    }
}

/// The command for a command of Atlas, by the words behind `atlas`; with what else to know of it.
pub(crate) fn of_atlas(words: &[&str]) -> Option<(&'static str, &'static str)> {
    let verbs: Vec<_> = words.iter().take_while(|it| !it.starts_with('-')).copied().collect();
    Some(match verbs.as_slice() {
        ["migrate", "diff", ..] => ("upfront gen NAME", "write the next migration"),
        ["migrate"] | ["migrate", "apply", ..] => UP,
        ["migrate", "down", ..] => {
            ("upfront down", "roll back; `--dry-run`, `--steps N`, `--to VERSION`")
        }
        ["migrate", "status", ..] => STATUS,
        ["migrate", "new", ..] => ("upfront new NAME", "write the files of an empty migration"),
        ["migrate", "hash", ..] => ("upfront hash", "rewrite `atlas.sum`"),
        ["migrate", "lint" | "validate" | "test", ..] => {
            ("upfront verify", "replay all migrations on a scratch server, up, down and up again")
        }
        ["migrate", "set", ..] => ("upfront baseline VERSION", "mark migrations as applied"),
        ["migrate", "import", ..] => ("upfront import DIR", "convert a folder of another tool"),
        ["migrate", "rm", ..] => ("upfront rm VERSION", "roll back and delete a migration"),
        ["migrate", "rebase" | "edit", ..] => {
            ("upfront hash", "rename or edit the file, then rewrite `atlas.sum`")
        }
        ["migrate", "checkpoint", ..] => (
            "upfront schema > migrations/VERSION_NAME.sql",
            "print the schema for a file with `-- atlas:checkpoint` on its first line",
        ),
        ["migrate", "push", ..] => {
            ("cargo build", "the program carries its migrations; there is no cloud")
        }
        ["schema", "apply", ..] => {
            ("upfront gen NAME", "write a migration, then apply it with `upfront up`")
        }
        ["schema", "diff", ..] => {
            ("upfront diff --from SOURCE --to SOURCE", "print the SQL between two schemas")
        }
        ["schema", "inspect", ..] => ("upfront schema --from SOURCE", "print a schema as SQL"),
        ["schema", "clean", ..] => ("upfront down --steps N", "roll back N migrations"),
        ["schema", ..] => ("upfront schema", "print a schema as SQL"),
        _ => return None,
    })
}

/// The command for the verb of another tool, by the words behind `upfront`.
pub(crate) fn of_verb(words: &[&str]) -> Option<(&'static str, &'static str)> {
    let (verb, rest) = words.split_first()?;
    if matches!(
        (*verb, rest),
        ("migrate" | "atlas", _) | ("schema", ["inspect" | "diff" | "apply" | "clean", ..])
    ) && let Some(found) = of_atlas(if *verb == "atlas" { rest } else { words })
    {
        let is_sub_command = rest.first().is_some_and(|it| !it.starts_with('-'));
        if is_sub_command || *verb == "migrate" {
            return Some(found);
        }
    }
    // `sqlx migrate run`, `rake migrate:up`.
    let verb = if *verb == "migrate" { rest.first().unwrap_or(verb) } else { verb };
    Some(match *verb {
        "migrate" | "apply" | "run" | "up" | "deploy" | "upgrade" | "latest" | "dev" => UP,
        "rollback" | "revert" | "undo" | "down" | "downgrade" => DOWN,
        "redo" | "reset" | "refresh" | "fresh" => REDO,
        "info" | "history" | "list" | "status" => STATUS,
        "add" | "create" | "generate" | "make" => NEW,
        "lint" | "validate" | "test" => VERIFY,
        "repair" => (
            "upfront hash",
            "rewrite `atlas.sum`; a partially applied migration: `upfront resolve VERSION`",
        ),
        "clean" | "drop" => ("upfront down --steps N", "roll back N migrations"),
        "inspect" | "dump" => ("upfront schema", "print the schema as SQL"),
        "remove" | "delete" => ("upfront rm VERSION", "roll back and delete a migration"),
        _ => return None,
    })
}

type Hint = (&'static str, &'static str);

const UP: Hint = ("upfront up", "apply what is pending");
const DOWN: Hint = ("upfront down", "roll back the newest migration; `--steps N`, `--to VERSION`");
const REDO: Hint =
    ("upfront down && upfront up", "roll back the newest migration and apply it again");
const STATUS: Hint = ("upfront status", "show what is applied and pending");
const NEW: Hint = (
    "upfront new NAME",
    "write the files of a new migration; `upfront gen NAME` writes their SQL, too",
);
const VERIFY: Hint = (
    "upfront verify",
    "replay all migrations on a scratch server; what is risky is a warning of `gen` and of the build",
);

#[cfg(test)]
mod tests {
    use super::{hint, words};

    #[test]
    fn commands_of_other_tools_have_a_counterpart() {
        let check = |line: &str, expected: &str| {
            let typed = words(format!("upfront {line}").split_whitespace().map(str::to_owned));
            let text = hint(&typed).unwrap_or_default();
            let command = text.rsplit_once(": `").map_or("", |it| it.1).trim_end_matches('`');
            assert_eq!(command, expected, "{line}");
        };
        for (line, expected) in [
            ("migrate diff add_users --env dev", "upfront gen add_users"),
            ("migrate apply --env dev", "upfront up"),
            ("migrate down --env dev", "upfront down"),
            ("migrate down 2", "upfront down --steps 2"),
            ("migrate rm 20260101000000_a", "upfront rm 20260101000000_a"),
            ("migrate hash", "upfront hash"),
            ("migrate status", "upfront status"),
            ("migrate new x", "upfront new x"),
            ("migrate run", "upfront up"),
            ("migrate add x", "upfront new x"),
            ("migrate revert", "upfront down"),
            ("schema inspect -u x", "upfront schema --from SOURCE"),
            ("atlas migrate lint", "upfront verify"),
            ("rollback", "upfront down"),
            ("rollback 3", "upfront down --steps 3"),
            ("redo", "upfront down && upfront up"),
            ("lint", "upfront verify"),
            ("undo", "upfront down"),
            ("revert", "upfront down"),
            ("apply 1", "upfront up"),
            ("info", ""),
            ("up", ""),
            ("status x", ""),
        ] {
            check(line, expected);
        }
    }
}
