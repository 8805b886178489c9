//! The crate as a build script uses it: its environment, its output, and the files that it writes.
//!
//! A build script is a process, so each test runs this program again, with the test
//! [`build_script`] alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;
use upfront_build::{Config, Warnings};
use upfront_directory::Directory;

const UP: &str = "CREATE TABLE users (id bigint);\n";

/// Instructs the process of a [`Package`]: the sets to embed, as `name=directory`, in lines.
const SETS: &str = "UPFRONT_TEST_SETS";
const DENY: &str = "UPFRONT_TEST_DENY";
const DEV: &str = "UPFRONT_TEST_DEV";

/// Not a test, but the build script that the others run.
#[test]
fn build_script() {
    let Ok(sets) = env::var(SETS) else { return };
    for set in sets.lines() {
        let (name, directory) = set.split_once('=').unwrap();
        let mut config = Config::new(directory).dev(env::var_os(DEV).is_some());
        if name != "main" {
            config = config.name(name);
        }
        if env::var_os(DENY).is_some() {
            config = config.warnings(Warnings::Deny);
        }
        config.embed();
    }
    if cfg!(target_os = "linux") {
        println!("peak={}", peak_memory());
        println!("busy={}", busy_ticks());
    }
}

/// The package of a service, and the folder for the output of its build script.
struct Package {
    root: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Package {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::Builder::new().prefix("upfront build \"é\" ").tempdir().unwrap();
        let it = Self { root, variables: Vec::new() };
        fs::create_dir(it.path("out")).unwrap();
        for (name, text) in files {
            it.write(name, text);
        }
        it
    }

    /// A package with one migration and its `atlas.sum`, so without warnings.
    fn with_migration() -> Self {
        let it = Self::new(&[("migrations/1_users.sql", UP)]);
        it.hash();
        it
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn hash(&self) {
        upfront_directory::write_sums(&self.path("migrations")).unwrap();
    }

    fn embed(&self) -> Script {
        self.embed_sets("main=migrations")
    }

    fn embed_sets(&self, sets: &str) -> Script {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "build_script", "--nocapture"]);
        command.env_clear().env(SETS, sets);
        command.env("CARGO_MANIFEST_DIR", self.root.path()).env("OUT_DIR", self.path("out"));
        command.env("PROFILE", "debug").envs(self.variables.iter().cloned());
        Script::of(&command.output().unwrap(), self.root.path())
    }
}

/// What a run of the script came to.
struct Script {
    succeeds: bool,
    /// What Cargo reads, with the path of the package as `ROOT`.
    instructions: Vec<String>,
    numbers: Vec<u64>,
}

impl Script {
    fn of(output: &Output, root: &Path) -> Self {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let text = text.replace(root.to_str().unwrap(), "ROOT");
        // The name of the test may precede the first line.
        let lines = text.lines().map(|it| it.strip_prefix("test build_script ... ").unwrap_or(it));
        let (cargo, others): (Vec<_>, Vec<_>) = lines.partition(|it| it.starts_with("cargo::"));
        let number =
            |it: &&str| it.strip_prefix("peak=").or(it.strip_prefix("busy="))?.parse().ok();
        Self {
            succeeds: output.status.success(),
            instructions: cargo.into_iter().map(str::to_owned).collect(),
            numbers: others.iter().filter_map(number).collect(),
        }
    }

    fn is(&self, succeeds: bool, instructions: &[&str]) {
        assert_eq!(self.instructions, instructions);
        assert_eq!(self.succeeds, succeeds);
    }
}

#[test]
fn writes_a_set_and_tells_cargo_what_to_watch() {
    let package = Package::with_migration();
    package.embed().is(
        true,
        &[
            "cargo::rerun-if-changed=ROOT/migrations",
            "cargo::rustc-env=UPFRONT_EMBEDDED_main=ROOT/out/upfront_main.rs",
        ],
    );
    let directory = Directory::read_as("migrations", package.path("migrations")).unwrap();
    let expected = upfront_directory::encode("migrations", directory.migrations());
    assert_eq!(package.read("out/upfront_main.txt"), expected);
    assert!(expected.ends_with(UP), "the SQL of the program is the text of the file");
}

/// The folder of the package has a blank, a quote and a letter beyond ASCII in its name.
#[test]
fn the_generated_source_compiles() {
    let package = Package::with_migration();
    assert!(package.embed().succeeds);
    package.write(
        "main.rs",
        "macro_rules! __embedded_v1 { ($directory:literal, $text:expr) => { ($directory, $text) } }
         fn main() {
             let (directory, text): (&str, &str) = include!(env!(\"UPFRONT_EMBEDDED_main\"));
             print!(\"{directory}\\n{text}\");
         }",
    );
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let mut compile = Command::new(rustc);
    compile
        .args(["--edition=2024", "-o"])
        .arg(package.path("program"))
        .arg(package.path("main.rs"));
    compile.env("UPFRONT_EMBEDDED_main", package.path("out/upfront_main.rs"));
    let compiled = compile.output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let printed = Command::new(package.path("program")).output().unwrap().stdout;
    let (directory, text) = (package.path("migrations"), package.read("out/upfront_main.txt"));
    assert_eq!(String::from_utf8(printed).unwrap(), format!("{}\n{text}", directory.display()));
}

#[test]
fn embeds_several_sets_side_by_side() {
    let package = Package::with_migration();
    package.write("billing/migrations/1_invoices.sql", "CREATE TABLE invoices (id bigint);\n");
    upfront_directory::write_sums(&package.path("billing/migrations")).unwrap();
    package.embed_sets("main=migrations\nbilling-2=billing/migrations/").is(
        true,
        &[
            "cargo::rerun-if-changed=ROOT/migrations",
            "cargo::rustc-env=UPFRONT_EMBEDDED_main=ROOT/out/upfront_main.rs",
            "cargo::rerun-if-changed=ROOT/billing/migrations/",
            "cargo::rustc-env=UPFRONT_EMBEDDED_billing-2=ROOT/out/upfront_billing-2.rs",
        ],
    );
    assert!(package.read("out/upfront_main.txt").contains("users"));
    assert!(package.read("out/upfront_billing-2.txt").contains("invoices"));
}

#[test]
fn an_error_has_its_file_and_line_and_nothing_is_written() {
    let package = Package::new(&[
        ("migrations/1_a.sql", "SELECT 1;\nSELECT 'never closed;\n"),
        ("migrations/2_b.sql", "COMMIT;\n"),
    ]);
    let script = package.embed();
    assert!(!script.succeeds);
    let [watch, errors @ ..] = script.instructions.as_slice() else { panic!() };
    assert_eq!(watch, "cargo::rerun-if-changed=ROOT/migrations");
    let starts: Vec<_> = errors.iter().map(|it| it.split(": ").next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "cargo::error=migrations/1_a.sql:2:8",
            "cargo::error=  help",
            "cargo::error=migrations/2_b.sql:1:1",
            "cargo::error=  help",
        ]
    );
    assert_eq!(fs::read_dir(package.path("out")).unwrap().count(), 0);
    package.embed_sets("main=no-such-folder").is(
        false,
        &[
            "cargo::rerun-if-changed=ROOT/no-such-folder",
            "cargo::error=no-such-folder: there is no such folder",
            "cargo::error=  help: create it, or correct the path; `upfront new NAME` writes the \
             first migration",
        ],
    );
}

#[test]
fn warnings_are_printed_or_denied() {
    let lines = [
        "migrations: this folder has no `atlas.sum`",
        "  help: `upfront hash` (or `atlas migrate hash`) writes it",
    ];
    let watch = "cargo::rerun-if-changed=ROOT/migrations".to_owned();
    let with = |kind: &str| lines.map(|it| format!("cargo::{kind}={it}"));
    let package = Package::new(&[("migrations/1_users.sql", UP)]);
    let embedded = "cargo::rustc-env=UPFRONT_EMBEDDED_main=ROOT/out/upfront_main.rs".to_owned();
    let [first, second] = with("warning");
    let script = package.embed();
    assert_eq!(script.instructions, [watch.clone(), first, second, embedded]);
    let script = Package::new(&[("migrations/1_users.sql", UP)]).with(DENY, "1").embed();
    let [first, second] = with("error");
    assert_eq!((script.succeeds, script.instructions), (false, vec![watch, first, second]));
}

#[test]
fn in_development_cargo_does_not_watch_the_directory() {
    let package = Package::with_migration().with(DEV, "1");
    package.write("migrations/2_b.sql", "SELECT 1;\n");
    package.embed().is(
        true,
        &[
            "cargo::rerun-if-changed=Cargo.toml",
            "cargo::rustc-env=UPFRONT_EMBEDDED_main=ROOT/out/upfront_main.rs",
        ],
    );
    assert!(package.read("out/upfront_main.txt").contains("2_b.sql"));
    assert!(package.read("out/upfront_main.rs").starts_with("__embedded_dev_v1!("));
    let released = package.with("PROFILE", "release").embed();
    assert!(!released.succeeds, "a release build checks `atlas.sum`");
    assert_eq!(released.instructions[0], "cargo::rerun-if-changed=ROOT/migrations");
}

/// Otherwise Cargo would compile the crate again.
#[test]
fn an_unchanged_set_keeps_the_time_of_its_files() {
    let package = Package::with_migration();
    let times = || {
        package.embed();
        let time = |it| fs::metadata(package.path(it)).unwrap().modified().unwrap();
        ["out/upfront_main.rs", "out/upfront_main.txt"].map(time)
    };
    let before = times();
    assert_eq!(times(), before);
    package.write("migrations/1_users.sql", "CREATE TABLE users (id bigint, name text);\n");
    package.hash();
    let [source, text] = times();
    assert_eq!(source, before[0], "the source names the files alone");
    assert_ne!(text, before[1]);
    package.write("migrations/down/1_users.sql", "DROP TABLE users;\n");
    upfront_directory::write_sums(&package.path("migrations")).unwrap();
    assert_ne!(times()[1], text);
    assert!(package.read("out/upfront_main.txt").contains("DROP TABLE users"));
}

#[test]
fn errors_name_what_is_wrong_with_the_call() {
    let check = |result: Result<(), upfront_build::EmbedError>, expected: &str| {
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    let named = |name: &str| Config::new("migrations").name(name).try_embed();
    for name in ["", "a b", "a/b", "é"] {
        let expected = format!("the name `{name}` of a set: expected letters, digits, `_` and `-`");
        check(named(name), &expected);
    }
    if env::var_os("OUT_DIR").is_none() {
        let expected =
            "`OUT_DIR` is not set: `upfront_build` is for build scripts, which Cargo runs";
        check(named("main"), expected);
    }
}

/// Counts what the process used, as the time that passes depends on what else runs.
#[cfg(target_os = "linux")]
#[test]
fn a_large_seed_costs_in_proportion_to_its_size() {
    let measure = |rows: usize| {
        let package = Package::new(&[]);
        let insert = "INSERT INTO words VALUES (1, 'it''s a word', '2026-01-01', $$text$$);\n";
        package.write("migrations/1_words.sql", &insert.repeat(rows));
        package.hash();
        let script = package.embed();
        assert!(script.succeeds);
        let [peak, busy] = script.numbers.as_slice() else { panic!("{:?}", script.numbers) };
        (*peak, *busy)
    };
    let (small, large) = (measure(10_000), measure(80_000));
    // Eight times the size; squared it would be 64 times the work.
    assert!(large.0 < small.0 * 10, "peak memory in kB: {small:?} and {large:?}");
    assert!(large.1 < small.1 * 24, "CPU time in ticks: {small:?} and {large:?}");
}

/// The largest size that this process had in memory, in kB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How long the threads of this process were on a processor, in ticks of 10 ms.
fn busy_ticks() -> u64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program is in parentheses; user and system time are fields 14 and 15.
    let fields = text.rsplit_once(')').unwrap().1.split_whitespace();
    fields.skip(11).take(2).map(|it| it.parse::<u64>().unwrap()).sum()
}
