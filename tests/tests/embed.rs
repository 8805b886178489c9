//! A service as its author has it: what Cargo builds, when it builds anew, and what it says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use upfront_tests::database;

/// A package in a folder of its own, built by Cargo.
struct Service {
    folder: PathBuf,
}

const MAIN: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let config = std::env::var("DATABASE_URL").unwrap().parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).build().unwrap();
    match upfront::Migrator::new(upfront::embedded!(), pool).up().await {
        Ok(report) => println!("{}", report.applied.iter().map(|it| &*it.name).collect::<Vec<_>>().join(" ")),
        Err(err) => println!("{err}"),
    }
}
"#;

impl Service {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        let house = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nupfront = {{ path = \"{}\" }}\ndeadpool-postgres = \"0.14\"\n\
             tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}\ntokio-postgres = \"0.7\"\n\n\
             [build-dependencies]\nupfront-build = {{ path = \"{}\" }}\n\n[workspace]\n",
            house.display(),
            house.join("crates/upfront-build").display()
        );
        let service = Self { folder };
        service.write("Cargo.toml", &manifest);
        service.write("build.rs", "fn main() { upfront_build::embed(\"migrations\"); }\n");
        service.write("src/main.rs", MAIN);
        fs::copy(house.join("Cargo.lock"), service.folder.join("Cargo.lock")).unwrap();
        service
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let file = self.folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.folder.join(file)).unwrap();
    }

    /// One folder of artifacts for all services: what they depend on is compiled once.
    fn cargo(&self, verb: &str) -> Output {
        Command::new(env!("CARGO"))
            .args([verb, "--offline", "--color", "never"])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("services"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap()
    }

    /// Builds, and gives what Cargo printed.
    fn builds(&self) -> String {
        let Output { status, stderr, .. } = self.cargo("build");
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.success(), "{stderr}");
        stderr
    }

    /// Does not build, and gives what the build script said.
    fn fails(&self) -> String {
        let Output { status, stderr, .. } = self.cargo("build");
        assert!(!status.success());
        let stderr = String::from_utf8(stderr).unwrap();
        let said = stderr.lines().filter(|it| it.starts_with("error: ") && it.contains("@0.1.0"));
        said.map(|it| it.split_once("@0.1.0: ").unwrap().1).collect::<Vec<_>>().join("\n")
    }

    fn program(&self) -> PathBuf {
        let name = self.folder.file_name().unwrap();
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("services/debug").join(name)
    }

    fn runs(&self, url: &str) -> String {
        let output =
            Command::new(self.program()).env("DATABASE_URL", url).current_dir("/").output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    }
}

#[test]
fn a_service_carries_what_its_directory_has_and_needs_no_file() {
    let service = Service::new("upfront-test-follows");
    let database = database();
    let url = database.url();
    service.write("migrations/1_a.sql", "CREATE TABLE a (id bigint);\n");
    assert!(service.builds().contains("there is no `atlas.sum` in this folder"));
    assert_eq!(service.runs(&url), "a");
    service.write("migrations/2_b.sql", "CREATE TABLE b (id bigint);\n");
    service.write("migrations/down/2_b.sql", "DROP TABLE b;\n");
    service.builds();
    assert_eq!(service.runs(&url), "b");
    let down = "select down_sql from upfront.revisions where version = '2' and app = 'main'";
    assert_eq!(database.psql(down).unwrap().trim(), "DROP TABLE b;");
    service.write("migrations/2_b.sql", "CREATE TABLE b (id integer);\n");
    service.builds();
    assert!(service.runs(&url).contains("migration `2_b` was changed after it was applied"));
    service.remove("migrations/2_b.sql");
    service.remove("migrations/down/2_b.sql");
    service.builds();
    assert_eq!(service.runs(&url), "", "the newest was deleted: the database is ahead");
    fs::remove_dir_all(service.folder.join("migrations")).unwrap();
    assert_eq!(service.runs(&url), "", "the program needs no file");
}

#[test]
fn a_mistake_is_an_error_of_the_build() {
    let service = Service::new("upfront-test-mistakes");
    insta::assert_snapshot!("missing directory", service.fails());
    service.write("migrations/1_a.sql", "CREATE TABLE a (id bigint);\nCOMMIT;\n");
    service.write("migrations/1_b.sql", "-- atlas:txmode nome\n\nSELECT 1;\n");
    insta::assert_snapshot!("two mistakes", service.fails());
    service.remove("migrations/1_b.sql");
    service.write("migrations/1_a.sql", "CREATE TABLE a (id bigint);\n");
    service.write("migrations/atlas.sum", "h1:x\n<<<<<<< HEAD\n");
    insta::assert_snapshot!("conflict in atlas.sum", service.fails());
    service.remove("migrations/atlas.sum");
    service.builds();
    service.remove("migrations/1_a.sql");
    let empty = service.builds();
    assert!(empty.contains("warning: "), "{empty}");
}

#[test]
fn a_crate_that_embeds_nothing_is_told_so() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
