//! A service as its author has it, built by Cargo.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A package in a folder of its own.
///
/// It follows its directory where its feature `dev` is on.
#[derive(Debug)]
pub struct Service {
    folder: PathBuf,
    artifacts: PathBuf,
    arguments: Vec<&'static str>,
    variables: Vec<(&'static str, String)>,
}

const MAIN: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let config = std::env::var("DATABASE_URL").unwrap().parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).build().unwrap();
    #[cfg(not(feature = "dev"))]
    let migrator = upfront::Migrator::new(upfront::embedded!(), pool);
    #[cfg(feature = "dev")]
    let migrator = upfront::Migrator::dev(upfront::embedded!(), pool);
    match migrator.up().await {
        Ok(report) => println!("{}", report.applied.iter().map(|it| &*it.name).collect::<Vec<_>>().join(" ")),
        Err(err) => println!("{err}"),
    }
}
"#;

const BUILD: &str = r#"
fn main() {
    upfront_build::Config::new("migrations").dev(cfg!(feature = "dev")).embed();
}
"#;

impl Service {
    /// `artifacts` is `env!("CARGO_TARGET_TMPDIR")`, which only a test knows.
    ///
    /// # Panics
    ///
    /// The folder cannot be written.
    pub fn new(artifacts: &str, name: &str) -> Self {
        let artifacts = PathBuf::from(artifacts);
        let folder = artifacts.join(name);
        let _ = fs::remove_dir_all(&folder);
        let house = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [features]\ndev = [\"upfront/dev\"]\n\n\
             [dependencies]\nupfront = {{ path = \"{}\" }}\ndeadpool-postgres = \"0.14\"\n\
             tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}\ntokio-postgres = \"0.7\"\n\n\
             [build-dependencies]\nupfront-build = {{ path = \"{}\" }}\n\n[workspace]\n",
            house.display(),
            house.join("crates/upfront-build").display()
        );
        let service = Self { folder, artifacts, arguments: Vec::new(), variables: Vec::new() };
        service.write("Cargo.toml", &manifest);
        service.write("build.rs", BUILD);
        service.write("src/main.rs", MAIN);
        fs::copy(house.join("Cargo.lock"), service.folder.join("Cargo.lock")).unwrap();
        service
    }

    /// One more argument for Cargo.
    #[must_use]
    pub fn with(mut self, argument: &'static str) -> Self {
        self.arguments.push(argument);
        self
    }

    /// One more variable for Cargo and the program.
    #[must_use]
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file of the package.
    ///
    /// # Panics
    ///
    /// It cannot be written.
    pub fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let file = self.folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Removes a file of the package.
    ///
    /// # Panics
    ///
    /// It cannot be removed.
    pub fn remove(&self, file: &str) {
        fs::remove_file(self.folder.join(file)).unwrap();
    }

    /// One folder of artifacts for all services: what they depend on is compiled once.
    fn cargo(&self, verb: &str) -> Output {
        Command::new(env!("CARGO"))
            .args([verb, "--offline", "--color", "never"])
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.artifacts.join("services"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("RUSTFLAGS")
            .envs(self.variables.iter().map(|(name, it)| (name, it)))
            .output()
            .unwrap()
    }

    /// Builds, and gives what Cargo printed.
    ///
    /// # Panics
    ///
    /// It does not build.
    pub fn builds(&self) -> String {
        let Output { status, stderr, .. } = self.cargo("build");
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.success(), "{stderr}");
        stderr
    }

    /// Checks, and gives what Cargo printed and whether all was well.
    ///
    /// # Panics
    ///
    /// Cargo cannot be started.
    pub fn checks(&self) -> (bool, String) {
        let Output { status, stderr, .. } = self.cargo("check");
        (status.success(), String::from_utf8(stderr).unwrap())
    }

    /// Does not build, and gives what the build script said.
    ///
    /// # Panics
    ///
    /// It builds.
    pub fn fails(&self) -> String {
        let Output { status, stderr, .. } = self.cargo("build");
        assert!(!status.success());
        let stderr = String::from_utf8(stderr).unwrap();
        let said = stderr.lines().filter(|it| it.starts_with("error: ") && it.contains("@0.1.0"));
        said.map(|it| it.split_once("@0.1.0: ").unwrap().1).collect::<Vec<_>>().join("\n")
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        let name = self.folder.file_name().unwrap_or_default();
        let profile = if self.arguments.contains(&"--release") { "release" } else { "debug" };
        self.artifacts.join("services").join(profile).join(name)
    }

    /// Starts the program away from its folder, and gives what it prints.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    pub fn runs(&self, url: &str) -> String {
        let mut command = Command::new(self.program());
        command.env("DATABASE_URL", url).current_dir("/");
        command.envs(self.variables.iter().map(|(name, it)| (name, it)));
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    }
}
