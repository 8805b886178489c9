//! A folder in which the command runs, without anything of the machine's own environment.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use tempfile::TempDir;
use upfront_scratch::{Database, Server};

/// A folder of its own.
pub(crate) struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// With files in it.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let it = Self::new();
        for (path, text) in files {
            it.write(path, text);
        }
        it
    }

    /// The same, where `DATABASE_URL` names a database.
    pub(crate) fn on(database: &Database<'_>, files: &[(&str, &str)]) -> Self {
        Self::with(files).variable("DATABASE_URL", &database.url())
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// All files, by name.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        files(self.folder.path(), "", &mut found);
        found.sort();
        found
    }

    /// Runs the command; its exit code, its output and its errors as one text.
    pub(crate) fn run(&self, arguments: &str) -> String {
        self.run_in("", &arguments.split_whitespace().collect::<Vec<_>>())
    }

    /// As [`run`](Self::run), in a folder below and with arguments that hold blanks.
    pub(crate) fn run_in(&self, below: &str, arguments: &[&str]) -> String {
        let output = self.command(below, arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut shown = format!("exit code {}\n", output.status.code().unwrap());
        for (name, bytes) in [("output", &output.stdout), ("errors", &output.stderr)] {
            if !bytes.is_empty() {
                shown = shown + "--- " + name + "\n" + &text(bytes);
            }
        }
        shown
    }

    pub(crate) fn command(&self, below: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_upfront"));
        command.args(arguments).current_dir(self.path(below)).stdin(Stdio::null());
        command.env_clear();
        command.env("HOME", self.folder.path()).env("HOSTNAME", "a-host").env("COLUMNS", "80");
        command.envs(self.variables.iter().map(|(name, it)| (name, it)));
        command
    }
}

fn files(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for it in fs::read_dir(folder).unwrap() {
        let it = it.unwrap();
        let name = format!("{prefix}{}", it.file_name().to_str().unwrap());
        match it.path().is_dir() {
            true => files(&it.path(), &format!("{name}/"), found),
            false => found.push(name),
        }
    }
}

/// An empty database of the server of this test binary.
pub(crate) fn database() -> Database<'static> {
    Server::shared().unwrap().database().unwrap()
}

/// All that a program prints in a terminal of this size, until it ends.
pub(crate) fn in_terminal(program: CommandBuilder, size: PtySize) -> Vec<u8> {
    let pair = native_pty_system().openpty(size).unwrap();
    let mut child = pair.slave.spawn_command(program).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut bytes = Vec::new();
    // The end of a terminal whose program has ended is an error on some systems.
    let _ = reader.read_to_end(&mut bytes);
    child.wait().unwrap();
    bytes
}

/// Compares with a snapshot, without what differs from run to run.
macro_rules! shows {
    ($text:expr) => {
        insta::with_settings!({ filters => crate::place::FILTERS.to_vec() }, {
            insta::assert_snapshot!($text);
        })
    };
    ($name:literal, $text:expr) => {
        insta::with_settings!({ filters => crate::place::FILTERS.to_vec() }, {
            insta::assert_snapshot!($name, $text);
        })
    };
}
pub(crate) use shows;

/// Times keep their width, so that tables stay tables.
pub(crate) const FILTERS: [(&str, &str); 19] = [
    // Another test may run Cargo at the same time.
    (r"(?m)^waiting for Cargo.s lock: .*\n", ""),
    // Progress is shown where a stage takes long.
    (r"(?m)^  … .*\n", ""),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?", "YYYY-MM-DD HH:MM:SS"),
    (r"\d+(\.\d+)?(ns|µs|ms|s)\b", "[took]"),
    (r#""(took|waited|duration)": [\d.e-]+"#, r#""$1": [seconds]"#),
    (r#""server_version": ".*""#, r#""server_version": "[version]""#),
    (r"(plan:?|--approve|approved:|now:) +[0-9a-f]{64}", "$1 [digest]"),
    (r#""digest": "[0-9a-f]{64}""#, r#""digest": "[digest]""#),
    (r"(values?|rows?), [0-9,]+ (bytes|kB)", "$1, [size]"),
    (r"(on PostgreSQL) \d+[.\w]*( \([^)]*\))?", "$1 [version]"),
    (r#""id": \d+"#, r#""id": [id]"#),
    (r"upfront-cli \d+\.\d+\.\d+", "upfront-cli [version]"),
    (r"scratch_[0-9a-z_]+", "[database]"),
    (r"(127\.0\.0\.1|localhost|db\.example):\d{4,}", "$1:[port]"),
    (r"/[/\w.-]+/\.tmp\w+", "[folder]"),
    // A privilege that owners have from 17 on.
    (r#""MAINTAIN","#, ""),
    (r"`/[^`]*/bin/pg_dump`", "`[pg_dump]`"),
    // In the words of 14.
    (r"pg_dump: error: query was:", "pg_dump: detail: Query was:"),
    // From 17 on, one statement locks all tables.
    (r"(LOCK TABLE [\w.]+)(, [\w.]+)+", "$1"),
];
