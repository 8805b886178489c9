//! Examples in `--help`.

use std::fmt::Write;

/// The verbs that a service mounts, each with command lines and what they do.
const VERBS: &[(&str, &[(&str, &str)])] = &[
    (
        "status",
        &[
            ("status", "list all migrations and their states"),
            ("status --exit-code", "exit with 3 if something is pending, with 4 if diverged"),
            ("status --format json", "print the same as JSON"),
        ],
    ),
    (
        "plan",
        &[
            ("plan", "print the pending migrations with their SQL"),
            ("plan --format json", "print the plan and its digest as JSON"),
        ],
    ),
    (
        "up",
        &[
            ("up", "apply all pending migrations"),
            ("up --dry-run", "print the plan and its digest"),
            ("up --approve 1f0c9a3e", "run an approved plan on a protected database"),
        ],
    ),
    (
        "down",
        &[
            ("down", "roll back the newest migration"),
            ("down --steps 2 --dry-run", "print the plan for the newest two"),
            ("down --to 20261122101500", "roll back everything newer than this version"),
        ],
    ),
    (
        "check",
        &[
            ("check", "exit with 3 if something is pending, with 4 if diverged"),
            ("check --format json", "print the error as JSON"),
        ],
    ),
    (
        "resolve",
        &[
            ("resolve 20261122101500 --rolled-back", "it was undone by hand"),
            ("resolve 20261122101500 --applied", "it was applied by hand"),
            (
                "resolve 20261122101500 --statement 3 --done",
                "statement 3 took effect before the crash",
            ),
        ],
    ),
    (
        "log",
        &[
            ("log", "print all entries, newest first"),
            ("log --oneline -n 10", "print the newest ten, a line each"),
            ("log --since '3 days ago'", "print the entries of the last three days"),
        ],
    ),
    (
        "explain",
        &[
            ("explain", "list the kinds of errors"),
            ("explain edited", "print what happened, why, and what to do"),
        ],
    ),
];

/// The examples of a verb below a command such as `upfront`.
pub(super) fn of(verb: &str, program: &str) -> String {
    let examples = VERBS.iter().find(|(name, _)| *name == verb).map(|(_, it)| *it);
    listed(examples.unwrap_or_default(), program)
}

/// Command lines, with what they do behind them.
pub(super) fn listed(examples: &[(&str, &str)], program: &str) -> String {
    let wide = examples.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    let mut text = "Examples:".to_owned();
    for (line, what) in examples {
        let _ = write!(text, "\n  {program} {line:wide$}  {what}");
    }
    text
}
