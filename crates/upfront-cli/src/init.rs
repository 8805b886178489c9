//! `init`

use std::{fmt::Write, fs, io, path::Path};

use serde::Serialize;
use upfront::cli::{Exit, Output};

use crate::failure::Failure;

/// Options of `init`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {}

#[derive(Serialize)]
struct Made<'a> {
    written: &'a [&'a str],
    kept: &'a [&'a str],
}

const SETTINGS: &str = r#"# What the `upfront` command works on, by `--env`; `dev` where nothing is said.
dir = "migrations"

[env.dev]
url = "${DATABASE_URL}"

# [env.prod]
# url = "${PRODUCTION_DATABASE_URL}"
# protected = true
"#;

/// Line ends belong to what is hashed.
const ATTRIBUTES: &str = "*.sql text eol=lf\natlas.sum text eol=lf\n";

const FILES: [(&str, &str); 2] =
    [("upfront.toml", SETTINGS), ("migrations/.gitattributes", ATTRIBUTES)];

impl Arguments {
    #[expect(clippy::unused_self, reason = "as the other commands")]
    pub(crate) fn run(&self, output: &Output) -> Result<(), Failure> {
        let (mut written, mut kept) = (Vec::new(), Vec::new());
        for (path, text) in FILES {
            let is_new = write_new(path, text).map_err(|err| {
                Failure::new(Exit::Failed, format!("cannot write `{path}`: {err}"))
            })?;
            if is_new { written.push(path) } else { kept.push(path) }
        }
        output.result(&Made { written: &written, kept: &kept }, || told(&written, &kept));
        Ok(())
    }
}

/// Writes a file unless there is one.
fn write_new(path: &str, text: &str) -> io::Result<bool> {
    if let Some(folder) = Path::new(path).parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::File::create_new(path) {
        Ok(mut file) => io::Write::write_all(&mut file, text.as_bytes()).map(|()| true),
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(err) => Err(err),
    }
}

fn told(written: &[&str], kept: &[&str]) -> String {
    let mut text = String::new();
    let mut line = |it: &str| {
        let _ = writeln!(text, "{it}");
    };
    for it in written {
        line(&format!("wrote {it}"));
    }
    for it in kept {
        line(&format!("kept {it}, which was there"));
    }
    line("\nnext:");
    line("  export DATABASE_URL=postgres://…   or write it into `.env`");
    line("  upfront new NAME                   writes the first migration");
    line("  upfront up                         applies it");
    if Path::new("Cargo.toml").is_file() {
        line("\nto compile the migrations into this crate:");
        line("  cargo add upfront && cargo add --build upfront-build");
        line(match Path::new("build.rs").is_file() {
            true => "  in build.rs:  upfront_build::embed(\"migrations\");",
            false => "  build.rs:     fn main() { upfront_build::embed(\"migrations\"); }",
        });
        line("  in main.rs:   Migrator::new(upfront::embedded!(), pool.clone()).up().await?;");
    }
    text.trim_end().to_owned()
}
