//! Help, man pages, completions, pipes, and terminals of all sorts.

use std::process::{Command, Stdio};

use portable_pty::{CommandBuilder, PtySize};

use crate::place::{Place, database, in_terminal};

const VERBS: [&str; 23] = [
    "init",
    "new",
    "gen",
    "diff",
    "schema",
    "rm",
    "hash",
    "import",
    "status",
    "plan",
    "up",
    "down",
    "check",
    "resolve",
    "log",
    "explain",
    "verify",
    "adopt",
    "baseline",
    "protect",
    "release",
    "completions",
    "man",
];

const A: (&str, &str) =
    ("migrations/20260101000000_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");
const DOWN: (&str, &str) = ("migrations/down/20260101000000_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("migrations/20260102000000_b.sql", "CREATE TABLE b (id bigint);\n");
const SETTINGS: (&str, &str) =
    ("upfront.toml", "[env.dev]\nurl = \"postgres:///d\"\n\n[env.prod]\nurl = \"postgres:///p\"\n");

#[test]
fn each_verb_has_examples_and_global_options_apart() {
    let it = Place::new();
    for verb in VERBS {
        let help = it.run(&format!("{verb} --help"));
        let own = help.split("\nGlobal options:").next().unwrap();
        assert!(!own.contains("--env") && help.contains("      --env <ENV>"), "{help}");
        let examples = help.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{help}"));
        let lines = examples.lines().filter(|it| it.starts_with("  upfront ")).count();
        assert!((2..=3).contains(&lines), "{help}");
        assert!(it.run(&format!("{verb} -h")).len() < help.len(), "{verb}");
        insta::assert_snapshot!(format!("help_of_{verb}"), help);
    }
}

#[test]
fn writes_man_pages() {
    let it = Place::new();
    let page = it.run("man");
    assert!(page.contains(".TH upfront 1"), "{page}");
    assert!(it.run("man pages").contains("wrote pages/upfront-gen.1"));
    for verb in VERBS {
        let page = it.read(&format!("pages/upfront-{verb}.1"));
        assert!(page.contains("Examples:") && page.contains("GLOBAL OPTIONS"), "{page}");
    }
    assert!(!it.path("pages/upfront-complete.1").exists());
}

#[test]
fn completes_verbs_options_environments_and_versions() {
    let it = Place::with(&[A, DOWN, B, SETTINGS]);
    let check = |words: &[&str], expected: &[&str]| {
        let arguments = [&["complete", "--"], words].concat();
        let shown = it.run_in("", &arguments);
        let lines: Vec<_> = shown.lines().skip(2).collect();
        assert_eq!(lines, expected, "{words:?}: {shown}");
    };
    check(&["down", "--to", ""], &["20260101000000", "20260102000000"]);
    check(&["down", "--to", "20260102"], &["20260102000000"]);
    check(&["resolve", "20260101"], &["20260101000000"]);
    check(&["up", "--env", ""], &["dev", "prod"]);
    check(&["--env", "prod", "sta"], &["status"]);
    check(&["--env", "up", "expl"], &["explain"]);
    check(&["explain", "ed"], &["edited"]);
    check(&["up", "--dry"], &["--dry-run"]);
    check(&["up", "--format", ""], &["text", "json"]);
    check(&["--dir", "nowhere", "down", "--to", ""], &[]);
    assert!(it.run("completions bash").contains("complete -F _upfront upfront"));
    assert!(it.run("completions zsh").contains("#compdef upfront"));
    assert!(it.run("completions fish").contains("complete -c upfront"));
    assert!(it.run("completions elvish").contains("up"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let database = database();
    let it = Place::on(&database, &[A, DOWN, B]);
    assert!(it.run("hash").starts_with("exit code 0"));
    for arguments in ["status", "log", "plan", "--help", "up --help", "explain", "completions bash"]
    {
        let arguments: Vec<_> = arguments.split(' ').collect();
        let mut command = it.command("", &arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        assert_eq!(errors, "", "{arguments:?}");
    }
}

/// All that a command prints in a terminal.
fn seen(it: &Place, arguments: &[&str], columns: u16, variables: &[(&str, &str)]) -> String {
    let rows = if columns == 0 { 0 } else { 60 };
    let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
    let command: Command = it.command("", arguments);
    let mut shell = CommandBuilder::new(command.get_program());
    shell.args(command.get_args());
    shell.cwd(it.path(""));
    shell.env_clear();
    for (name, value) in command.get_envs() {
        // It would count as the width.
        if let Some(value) = value.filter(|_| name != "COLUMNS") {
            shell.env(name, value);
        }
    }
    for (name, value) in variables {
        shell.env(name, value);
    }
    let bytes = in_terminal(shell, size);
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

#[test]
fn a_terminal_of_no_size_has_80_columns() {
    let database = database();
    let long =
        "migrations/20260103000000_a_name_so_long_that_the_table_has_to_wrap_it_somewhere.sql";
    let it = Place::on(&database, &[A, DOWN, B, (long, "CREATE TABLE c (id int);\n")]);
    assert!(it.run("hash").starts_with("exit code 0"));
    for arguments in [&["status"][..], &["up", "-h"], &["gen", "--help"]] {
        let variables = [("TERM", "dumb")];
        let shown = seen(&it, arguments, 0, &variables);
        assert_eq!(shown, seen(&it, arguments, 80, &variables), "{arguments:?}");
        let widest = shown.lines().map(|it| it.chars().count()).max().unwrap();
        assert!((60..=80).contains(&widest), "{widest}: {shown}");
    }
    assert!(seen(&it, &["up"], 0, &[("TERM", "xterm")]).contains("applied"));
}

#[test]
fn colors_and_moving_lines_keep_to_the_terminal() {
    let database = database();
    let it = Place::on(&database, &[A, DOWN, B]);
    assert!(it.run("hash").starts_with("exit code 0"));
    let has_escapes = |arguments: &[&str], variables: &[(&str, &str)]| {
        seen(&it, arguments, 80, variables).contains('\x1b')
    };
    assert!(has_escapes(&["status"], &[("TERM", "xterm")]));
    assert!(has_escapes(&["down"], &[("TERM", "xterm")]), "an error has colors");
    for variables in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        assert!(!has_escapes(&["status"], &[("TERM", "xterm"), variables]), "{variables:?}");
    }
    // Progress moves the cursor, if the terminal can.
    assert!(!has_escapes(&["up"], &[("TERM", "dumb")]));
    assert!(!has_escapes(&["down", "--steps", "9"], &[("TERM", "dumb")]));
    let forced = it.command("", &["status"]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(String::from_utf8_lossy(&forced.stdout).contains('\x1b'));
    let json = it.command("", &["up", "--format", "json"]).output().unwrap();
    let text = String::from_utf8(json.stdout).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
}
