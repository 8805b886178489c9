//! `man`

use std::{fs, io, path::PathBuf};

use clap::{
    Command,
    builder::{OsStringValueParser, TypedValueParser},
};
use clap_mangen::Man;
use serde::Serialize;
use upfront::cli::{Exit, Output};

use crate::output::failure::Failure;

/// Options of `man`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Write a page for each verb into this folder; print the page of `upfront` if omitted
    #[arg(value_name = "DIR", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    folder: Option<PathBuf>,
}

#[derive(Serialize)]
struct Pages {
    written: Vec<String>,
}

impl Arguments {
    pub(crate) fn run(&self, mut command: Command, output: &Output) -> Result<(), Failure> {
        command.build();
        let Some(folder) = &self.folder else {
            let page = page(&command).map_err(|err| failed("print the page", &err))?;
            output.result(&page, || page.trim_end().to_owned());
            return Ok(());
        };
        let doing = format!("write into `{}`", folder.display());
        fs::create_dir_all(folder).map_err(|err| failed(&doing, &err))?;
        let verbs = command.get_subcommands().filter(|it| !it.is_hide_set());
        let mut written = Vec::new();
        for it in std::iter::once(&command).chain(verbs) {
            let path = folder.join(format!("{}.1", name(it)));
            let text = page(it).map_err(|err| failed(&doing, &err))?;
            fs::write(&path, text).map_err(|err| failed(&doing, &err))?;
            written.push(path.display().to_string());
        }
        let pages = Pages { written };
        output.result(&pages, || {
            pages.written.iter().map(|it| format!("wrote {it}")).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}

/// `upfront`, or `upfront-up` for a verb.
fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command) -> io::Result<String> {
    let mut text = Vec::new();
    Man::new(command.clone()).title(name(command)).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn failed(doing: &str, err: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot {doing}: {err}"))
}
