//! What a changed migration costs the developer: a build of the program around it, with many files
//! and with a large one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    measure::{Samples, shown, times},
    options::Options,
    page::Page,
};

const COUNT: usize = 1_000;
/// The size of the large file.
const BYTES: usize = 58_000_000;
/// Where the compiler's time and memory are written.
const LOG: &str = "UPFRONT_BENCH_RUSTC_LOG";
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Two services that differ in how the migrations come into the program.
const CRATES: [&str; 2] = ["included", "embedded"];
const LARGE: [&str; 2] = ["large_included", "large_embedded"];
const INCLUDED: &str = "for it in FILES { pool.get().await?.batch_execute(it).await?; }";
const EMBEDDED: &str = "upfront::Migrator::new(upfront::embedded!(), pool).up().await?;";

pub(crate) fn run(options: &Options, page: &mut Page) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let workspace = Workspace::new(folder.path())?;
    let mut samples = [(); 2].map(|()| Samples::default());
    for name in CRATES {
        workspace.build(name)?;
    }
    for round in 1..=options.few_rounds().max(3) * 2 {
        workspace.edit(round)?;
        for at in (0..CRATES.len()).map(|it| (it + round) % CRATES.len()) {
            samples[at].push(workspace.build(CRATES[at])?);
        }
    }
    let [included, embedded] = &samples;
    page.heading("Rebuild after one of 1000 migrations changed");
    page.paragraph(
        "`cargo build` (dev) of a service with deadpool-postgres and tokio, and nothing else \
         changed. `include_str!` names the same files in an array.",
    );
    let header = ["a service with", "rebuild", "ratio"].map(str::to_owned);
    let row = |name: &str, it: &Samples| {
        vec![name.to_owned(), shown(it.median()), times(it.ratio(included))]
    };
    page.table(&header, vec![row("`include_str!`", included), row("**upfront**", embedded)]);
    large(options, &workspace, page)?;
    let added = workspace.added()?;
    page.paragraph(&format!(
        "What upfront adds to the dependencies of that service (`cargo tree -e normal`): {}, and \
         no other crate.",
        added.join(", ")
    ));
    Ok(())
}

fn large(options: &Options, workspace: &Workspace, page: &mut Page) -> Result<()> {
    let mut built = [(); 2].map(|()| Samples::default());
    let mut compiled = [(); 2].map(|()| Samples::default());
    let mut peak = [0; 2];
    for name in LARGE {
        workspace.build(name)?;
    }
    for round in 1..=options.few_rounds().max(3) {
        workspace.write(SEED, &seed(round))?;
        for at in (0..LARGE.len()).map(|it| (it + round) % LARGE.len()) {
            let _ = fs::remove_file(workspace.log());
            built[at].push(workspace.build(LARGE[at])?);
            let rustc = workspace.compiled(LARGE[at])?;
            compiled[at].push(rustc.took);
            peak[at] = peak[at].max(rustc.peak);
        }
    }
    page.heading("Rebuild after the only migration, of 58 MB, changed");
    page.paragraph(
        "As above. The build script, which is built without optimization unless the profile says \
         otherwise, reads, checks and hashes the file; `rustc` compiles the service.",
    );
    let header = ["a service with", "rebuild", "rustc alone", "ratio", "its peak memory", "ratio"];
    let row = |at: usize, name: &str| {
        let memory = Duration::from_millis(peak[at]);
        let first = Duration::from_millis(peak[0]);
        vec![
            name.to_owned(),
            shown(built[at].median()),
            shown(compiled[at].median()),
            times(compiled[at].ratio(&compiled[0])),
            format!("{} MB", peak[at] / 1024),
            times(memory.as_secs_f64() / first.as_secs_f64()),
        ]
    };
    page.table(&header.map(str::to_owned), vec![row(0, "`include_str!`"), row(1, "**upfront**")]);
    Ok(())
}

const SEED: &str = "large/1_seed.sql";

fn seed(round: usize) -> String {
    let mut text =
        format!("-- Round {round}.\nCREATE TABLE seed (id bigint, name text, note text);\n");
    for row in 1.. {
        if text.len() >= BYTES {
            break;
        }
        let note = "some text that makes the row as long as rows are";
        text.push_str("INSERT INTO seed (id, name, note) VALUES (");
        text.push_str(
            &[&row.to_string(), ", 'it''s ", &row.to_string(), "', '", note, "');\n"].concat(),
        );
    }
    text
}

/// What the compiler needed for one crate.
struct Compiled {
    took: Duration,
    /// In kilobytes.
    peak: u64,
}

/// This program in the place of the compiler, which it runs and watches; nothing if it was started
/// as a bench.
pub(crate) fn as_rustc() -> Option<ExitCode> {
    let log = std::env::var_os(LOG)?;
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let since = Instant::now();
    let mut rustc = Command::new(arguments.first()?).args(&arguments[1..]).spawn().ok()?;
    let status = PathBuf::from(format!("/proc/{}/status", rustc.id()));
    let mut peak = 0;
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|it| it.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|it| it.split_whitespace().next()?.parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0));
        match rustc.try_wait().ok()? {
            Some(it) => break it,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let name = arguments.iter().skip_while(|it| *it != "--crate-name").nth(1);
    if let Some(name) = name.and_then(|it| it.to_str()).filter(|it| LARGE.contains(it)) {
        let line = format!("{name} {} {peak}\n", since.elapsed().as_millis());
        fs::write(log, line).ok()?;
    }
    Some(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A throw-away workspace of the two, whose target folder outlives it: dependencies are built once.
struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    fn new(root: &Path) -> Result<Self> {
        let repository = fs::canonicalize(REPOSITORY)?;
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(it) => PathBuf::from(it),
            None => repository.join("target"),
        };
        let it = Self { root: root.to_owned(), target: target.join("upfront-benches-rebuild") };
        it.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"*ed\"]\n")?;
        fs::copy(repository.join("Cargo.lock"), root.join("Cargo.lock"))?;
        for at in 1..=COUNT {
            it.write(&path(at), &text(at, 0))?;
        }
        let upfront = format!("upfront = {{ path = '{}' }}", repository.display());
        let build = format!(
            "[build-dependencies]\nupfront-build = {{ path = '{}' }}",
            repository.join("crates/upfront-build").display()
        );
        it.write(SEED, &seed(0))?;
        let all = (1..=COUNT).map(path).collect::<Vec<_>>();
        let sets = [(CRATES, "migrations", all), (LARGE, "large", vec![SEED.to_owned()])];
        for ([included, embedded], folder, paths) in sets {
            it.write(&format!("{included}/Cargo.toml"), &manifest(included, "", ""))?;
            let main = format!("{}{}", files(&paths), service(INCLUDED));
            it.write(&format!("{included}/src/main.rs"), &main)?;
            it.write(&format!("{embedded}/Cargo.toml"), &manifest(embedded, &upfront, &build))?;
            let script = format!("fn main() {{ upfront_build::embed(\"../{folder}\"); }}\n");
            it.write(&format!("{embedded}/build.rs"), &script)?;
            it.write(&format!("{embedded}/src/main.rs"), &service(EMBEDDED))?;
        }
        Ok(it)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("the path is in the root"))?;
        Ok(fs::write(path, text)?)
    }

    /// Changes one migration, another one each time.
    fn edit(&self, round: usize) -> Result<()> {
        let at = 1 + round * 37 % COUNT;
        self.write(&path(at), &text(at, round))
    }

    fn build(&self, package: &str) -> Result<Duration> {
        let since = Instant::now();
        self.cargo(&["build", "--offline", "--quiet", "-p", package])?;
        Ok(since.elapsed())
    }

    fn log(&self) -> PathBuf {
        self.root.join("rustc.log")
    }

    /// What the last build needed to compile a service.
    fn compiled(&self, package: &str) -> Result<Compiled> {
        let text = fs::read_to_string(self.log())?;
        let parts: Vec<_> = text.split_whitespace().collect();
        let &[name, took, peak] = parts.as_slice() else { return Err("no log of rustc".into()) };
        assert_eq!(name, package, "one service is built at a time");
        Ok(Compiled { took: Duration::from_millis(took.parse()?), peak: peak.parse()? })
    }

    /// The crates of the one service that the other does not have, without the services.
    fn added(&self) -> Result<Vec<String>> {
        let [included, embedded] = CRATES.map(|it| self.tree(it));
        let (included, mut embedded) = (included?, embedded?);
        embedded.retain(|it| !included.contains(it) && it != "embedded");
        Ok(embedded)
    }

    fn tree(&self, package: &str) -> Result<Vec<String>> {
        let tree = ["tree", "--offline", "-e", "normal", "--prefix", "none", "-p", package];
        let text = self.cargo(&tree)?;
        let name = |it: &str| it.split(' ').next().unwrap_or_default().to_owned();
        let mut names: Vec<_> = text.lines().map(name).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn cargo(&self, arguments: &[&str]) -> Result<String> {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        cargo.env("RUSTC_WRAPPER", std::env::current_exe()?).env(LOG, self.log());
        let output = cargo.output()?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into()),
        }
    }
}

fn path(at: usize) -> String {
    format!("migrations/{:014}_step_{at}.sql", 20_260_101_000_000 + at)
}

fn text(at: usize, round: usize) -> String {
    let comment = "a line of comment ".repeat(14);
    format!(
        "-- Round {round}.\nCREATE TABLE t_{at} (id bigint PRIMARY KEY, name text);\n-- {comment}\n"
    )
}

fn manifest(name: &str, dependencies: &str, rest: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         deadpool-postgres = \"0.14\"\ntokio = {{ version = \"1\", features = [\"macros\", \
         \"rt-multi-thread\"] }}\ntokio-postgres = \"0.7\"\n{dependencies}\n\n{rest}\n"
    )
}

fn files(paths: &[String]) -> String {
    let include = |path: &String| format!("    include_str!(\"../../{path}\"),\n");
    format!("static FILES: &[&str] = &[\n{}];\n\n", paths.iter().map(include).collect::<String>())
}

fn service(boot: &str) -> String {
    format!(
        "#[tokio::main]\nasync fn main() -> Result<(), Box<dyn std::error::Error>> {{\n    let \
         config = std::env::var(\"DATABASE_URL\")?.parse()?;\n    let manager = \
         deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);\n    let pool = \
         deadpool_postgres::Pool::builder(manager).build()?;\n    {boot}\n    Ok(())\n}}\n"
    )
}
