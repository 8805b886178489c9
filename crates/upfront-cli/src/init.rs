//! `init`

use std::{fmt::Write, fs, io, path::Path};

use serde::Serialize;
use upfront::cli::{Exit, Output};

use crate::{failure::Failure, package::Package};

/// What prints the models.
const EXAMPLE: &str = "examples/upfront_models.rs";

/// Options of `init`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Let `gen` read the schema from structs of this crate, which derive `upfront::Table`
    #[arg(long)]
    models: bool,
}

#[derive(Serialize)]
struct Made {
    written: Vec<&'static str>,
    kept: Vec<&'static str>,
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

/// The schema that `gen` leads to, where structs say it.
const DESIRED: &str = "
# `gen` asks `examples/upfront_models.rs` for the structs of this crate.
[desired.models]
";

impl Arguments {
    pub(crate) fn run(&self, output: &Output) -> Result<(), Failure> {
        let here = Package::here();
        let models = match &here {
            Some(it) if self.models || it.derives => Some(it),
            None if self.models => {
                return Err(Failure::mistake("there is no `Cargo.toml` with a package here")
                    .help("run `upfront init --models` in the folder of the crate"));
            }
            _ => None,
        };
        let example = models.and_then(Package::example);
        let desired = if example.is_some() { DESIRED } else { "" };
        let mut files = vec![
            ("upfront.toml", format!("{SETTINGS}{desired}")),
            ("migrations/.gitattributes", ATTRIBUTES.to_owned()),
        ];
        files.extend(example.map(|it| (EXAMPLE, it)));
        let made = write_all(files)?;
        output.result(&made, || told(&made, here.as_ref(), models));
        Ok(())
    }
}

fn write_all(files: Vec<(&'static str, String)>) -> Result<Made, Failure> {
    let mut made = Made { written: Vec::new(), kept: Vec::new() };
    for (path, text) in files {
        let is_new = write_new(path, &text)
            .map_err(|err| Failure::new(Exit::Failed, format!("cannot write `{path}`: {err}")))?;
        if is_new { made.written.push(path) } else { made.kept.push(path) }
    }
    Ok(made)
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

fn told(made: &Made, here: Option<&Package>, models: Option<&Package>) -> String {
    let mut text = String::new();
    let mut line = |it: &str| {
        let _ = writeln!(text, "{it}");
    };
    for it in &made.written {
        line(&format!("wrote {it}"));
    }
    for it in &made.kept {
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
    match (models, here) {
        (Some(it), _) => {
            line("\nto write migrations from structs of this crate:");
            it.steps(made.kept.contains(&"upfront.toml")).iter().for_each(|it| line(it));
        }
        (None, Some(_)) => line("\n`upfront init --models` is for a schema from structs"),
        (None, None) => {}
    }
    text.trim_end().to_owned()
}
