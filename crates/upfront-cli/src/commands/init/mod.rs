//! `init`

mod advice;
mod atlas;
mod config;
mod exclude;
mod expression;
mod files;
mod makefile;
mod orm;
mod settings;
mod survey;

use std::path::Path;

use upfront::cli::Output;

use self::{
    files::{WrittenFiles, write_all},
    survey::Survey,
};
use crate::{
    config::{Variables, package::Package},
    context::ProjectArgs,
    output::failure::Failure,
};

/// What prints the models.
const EXAMPLE: &str = "examples/upfront_models.rs";

/// Options of `init`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Let `gen` read the schema from structs of this crate, which derive `upfront::Table`
    #[arg(long)]
    models: bool,
}

/// Line ends belong to what is hashed.
const ATTRIBUTES: &str = "*.sql text eol=lf\natlas.sum text eol=lf\n";

impl Arguments {
    pub(crate) fn run(&self, place: &ProjectArgs, output: &Output) -> Result<(), Failure> {
        let here = Package::here();
        let models = match &here {
            Some(it) if self.models || it.derives => Some(it),
            None if self.models => {
                return Err(Failure::mistake("there is no `Cargo.toml` with a package here")
                    .help("run `upfront init --models` in the folder of the crate"));
            }
            _ => None,
        };
        let variables = Variables::beside(Path::new(""))?;
        let survey = Survey::of(Path::new("."), place.dir.as_deref(), &variables);
        let example = models.and_then(Package::example);
        let mut files =
            vec![("upfront.toml".to_owned(), settings::text(&survey, example.is_some()))];
        // Hashes cover the line ends that are there.
        if !survey.directory.has_windows_lines {
            let path = Path::new(&survey.dir).join(".gitattributes").display().to_string();
            files.push((path, ATTRIBUTES.to_owned()));
        }
        files.extend(example.map(|it| (EXAMPLE.to_owned(), it)));
        let mut made = write_all(files)?;
        made.notes =
            survey.config.notes.iter().chain(&survey.calls).map(ToString::to_string).collect();
        output.result(&made, || shown(&made, &survey, &variables, (here.as_ref(), models)));
        Ok(())
    }
}

/// What was written, what was found, and what is left to do.
fn shown(
    made: &WrittenFiles,
    survey: &Survey,
    variables: &Variables,
    (here, models): (Option<&Package>, Option<&Package>),
) -> String {
    let mut lines: Vec<_> = made.written.iter().map(|it| format!("wrote {it}")).collect();
    lines.extend(made.kept.iter().map(|it| format!("kept {it}, which was there")));
    let mut part = |title: &str, of: Vec<String>| {
        if !of.is_empty() {
            lines.push(format!("\n{title}"));
            lines.extend(of);
        }
    };
    if survey.directory.has_migrations {
        part(&format!("found migrations in {}", survey.dir), Vec::new());
    }
    if let Some(origin) = &survey.origin {
        let indented = |it: &config::Note| format!("  {it}");
        part(&format!("notes on {origin}:"), survey.config.notes.iter().map(indented).collect());
        part("calls of Atlas:", survey.calls.iter().map(indented).collect());
    }
    let with_desired = survey.config.desired.has_source()
        || survey.loader.as_ref().is_some_and(|it| it.first.is_none())
        || models.is_some();
    part("next:", advice::next(survey, variables, with_desired));
    if Path::new("Cargo.toml").is_file() {
        part("to compile the migrations into this crate:", advice::embedding(&survey.dir));
    }
    let modelling = advice::modelling(made, here, models);
    match models {
        Some(_) => part("to write migrations from structs of this crate:", modelling),
        None => lines.extend(modelling.iter().map(|it| format!("\n{it}"))),
    }
    lines.join("\n")
}
