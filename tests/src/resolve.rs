//! The commands `upfront resolve …` that errors print, run through the library.

use upfront::{Migrator, Resolution, Resolve, Resolved};

/// The commands that an error prints, in their order.
///
/// # Panics
///
/// It prints none.
pub fn commands(err: &str) -> Vec<&str> {
    let all: Vec<_> = err.split('`').filter(|it| it.starts_with("upfront resolve ")).collect();
    assert!(!all.is_empty(), "{err}");
    all
}

/// Runs a command as an error prints it, on the database and the app of a migrator.
///
/// # Panics
///
/// The command is another one, or is refused.
pub async fn resolve(migrator: &Migrator, command: &str) -> Resolved {
    let words: Vec<_> = command.trim().trim_matches('`').split_whitespace().skip(2).collect();
    let has = |option: &str| words.contains(&option);
    let outcome =
        match (has("--applied") || has("--done"), has("--rolled-back") || has("--not-done")) {
            (true, false) => Resolution::Applied,
            (false, true) => Resolution::RolledBack,
            _ => panic!("`{command}` is no command of `resolve`"),
        };
    let version = words[0].to_owned();
    let statement = words.iter().skip_while(|it| **it != "--statement").nth(1);
    let asked = match statement {
        _ if has("--all") => Resolve::All { outcome },
        _ if has("--edited") => Resolve::Edited { version, outcome },
        Some(it) => Resolve::Statement { version, statement: it.parse().unwrap(), outcome },
        None => Resolve::Migration { version, outcome },
    };
    let plan = migrator.plan_resolve(asked).await.unwrap();
    assert!(!plan.is_empty(), "`{command}` changes nothing");
    migrator.resolve(&plan).await.unwrap()
}
