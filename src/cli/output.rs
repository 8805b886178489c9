//! Where results, progress and errors go, and in what form.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use comfy_table::Table;
use serde::Serialize;

use crate::{
    ErrorKind,
    cli::{
        command_line::{completed, explaining},
        exit::Exit,
    },
};

/// How to print: `--format` and `--color`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Output {
    /// Set the format of results
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    /// Set when to print in color
    #[arg(long, value_name = "WHEN", default_value_t, global = true)]
    color: clap::ColorChoice,
}

/// What results are printed as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
#[non_exhaustive]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// One JSON document, errors too.
    Json,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: Failure<'a>,
}

#[derive(Serialize)]
struct Failure<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_kind: Option<ErrorKind>,
    exit_code: u8,
    message: &'a str,
}

impl Output {
    /// Is the result to be JSON?
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// May what is printed on the standard error have colours?
    #[must_use]
    pub fn has_colors(&self) -> bool {
        match self.color {
            clap::ColorChoice::Always => true,
            clap::ColorChoice::Never => false,
            clap::ColorChoice::Auto => AutoStream::choice(&io::stderr()) != ColorChoice::Never,
        }
    }

    /// Prints a result: its text, or the value as JSON.
    pub fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        match self.format {
            Format::Text => self.print(&text()),
            Format::Json => self.print(&json(value)),
        }
    }

    /// Prints an error: its text on the standard error, or JSON in place of the result.
    pub fn error(&self, exit: Exit, message: &str) {
        self.error_of_kind(exit, message, None);
    }

    /// Prints an error that has a page: [`error`](Self::error), and the command that explains it.
    #[doc(hidden)]
    pub fn error_of_kind(&self, exit: Exit, message: &str, error_kind: Option<ErrorKind>) {
        let message = &completed(message);
        match self.format {
            Format::Text => {
                let see = error_kind.map(Self::see).unwrap_or_default();
                self.labelled("error", AnsiColor::Red, &format!("{message}{see}"));
            }
            Format::Json => {
                let (kind, exit_code) = (exit.word(), exit.code());
                let error = Failure { kind, error_kind, exit_code, message };
                self.print(&json(&Failed { error }));
            }
        }
    }

    /// The last line of an error, which names its page.
    #[doc(hidden)]
    #[must_use]
    pub fn see(kind: ErrorKind) -> String {
        format!("\n  see: {}", explaining(kind))
    }

    /// Prints an error of the library, as the verbs do, and gives its exit code.
    #[must_use]
    pub fn failed(&self, err: &crate::Error) -> Exit {
        let exit = Exit::of(err);
        self.error_of_kind(exit, &err.to_string(), Some(err.kind()));
        exit
    }

    /// A message with the options of this command line in each `` `upfront …` `` of it.
    #[doc(hidden)]
    #[must_use]
    pub fn completed(message: &str) -> String {
        completed(message)
    }

    /// Prints a warning on the standard error.
    pub fn warning(&self, message: &str) {
        let message = &completed(message);
        self.labelled("warning", AnsiColor::Yellow, message);
    }

    /// Prints a line on the standard error that is no part of the result.
    pub fn note(&self, text: &str) {
        let _ = writeln!(AutoStream::new(io::stderr().lock(), self.choice()), "{text}");
    }

    /// Asks on the terminal whether to go on; nothing where nobody can be asked.
    #[doc(hidden)]
    #[must_use]
    pub fn confirm(&self, question: &str) -> Option<bool> {
        let can_ask = !self.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal();
        if !can_ask {
            return None;
        }
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer).is_ok();
        Some(read && ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
    }

    fn labelled(&self, label: &str, color: AnsiColor, message: &str) {
        let style = Style::new().bold().fg_color(Some(color.into()));
        self.note(&format!("{style}{label}:{style:#} {message}"));
    }

    /// A closed pipe, as behind `head`, is not a failure.
    fn print(&self, text: &str) {
        let _ = writeln!(AutoStream::new(io::stdout().lock(), self.choice()), "{text}");
    }

    fn choice(&self) -> ColorChoice {
        match self.color {
            clap::ColorChoice::Auto => ColorChoice::Auto,
            clap::ColorChoice::Always => ColorChoice::Always,
            clap::ColorChoice::Never => ColorChoice::Never,
        }
    }

    /// Can a line on the standard error change, as progress does?
    #[doc(hidden)]
    #[must_use]
    pub fn is_watched() -> bool {
        let is_dumb = env::var_os("TERM").is_some_and(|it| it == "dumb");
        io::stderr().is_terminal() && !is_dumb
    }

    /// The width of the terminal of the standard output, for text that wraps; nothing for files and
    /// pipes. A terminal of no size has 80 columns.
    #[doc(hidden)]
    #[must_use]
    pub fn width() -> Option<u16> {
        let set = env::var("COLUMNS").ok().and_then(|it| it.parse().ok());
        let real = || {
            let width = Table::new().width().filter(|it| *it > 0);
            io::stdout().is_terminal().then(|| width.unwrap_or(80))
        };
        set.filter(|it| *it > 0).or_else(real)
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("what is printed has no keys but text")
}
