//! What a changed migration costs the developer: a build of the program around it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Result,
    measure::{Samples, shown, times},
    options::Options,
    page::Page,
};

const COUNT: usize = 1_000;
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Two services that differ in how the migrations come into the program.
const CRATES: [&str; 2] = ["included", "embedded"];
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
    let added = workspace.added()?;
    page.paragraph(&format!(
        "What upfront adds to the dependencies of that service (`cargo tree -e normal`): {}, and \
         no other crate.",
        added.join(", ")
    ));
    Ok(())
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
        it.write("included/Cargo.toml", &manifest("included", "", ""))?;
        it.write("included/src/main.rs", &format!("{}{}", files(), service(INCLUDED)))?;
        it.write("embedded/Cargo.toml", &manifest("embedded", &upfront, &build))?;
        it.write("embedded/build.rs", "fn main() { upfront_build::embed(\"../migrations\"); }\n")?;
        it.write("embedded/src/main.rs", &service(EMBEDDED))?;
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

fn files() -> String {
    let include = |at| format!("    include_str!(\"../../{}\"),\n", path(at));
    format!("static FILES: &[&str] = &[\n{}];\n\n", (1..=COUNT).map(include).collect::<String>())
}

fn service(boot: &str) -> String {
    format!(
        "#[tokio::main]\nasync fn main() -> Result<(), Box<dyn std::error::Error>> {{\n    let \
         config = std::env::var(\"DATABASE_URL\")?.parse()?;\n    let manager = \
         deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);\n    let pool = \
         deadpool_postgres::Pool::builder(manager).build()?;\n    {boot}\n    Ok(())\n}}\n"
    )
}
