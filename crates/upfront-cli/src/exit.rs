//! The exit code of each error, and what the command adds to its text.

use upfront::cli::Exit;

use crate::output::failure::{Failure, Note};

/// What to do about something that a database in use has and a scratch database does not.
pub(crate) const MISSING: &str = "this happened on the scratch server; if your databases have it from \
    elsewhere, create it in a SQL file that `setup` in `[scratch]` names, or set `preset` there to the \
    service that has it: `supabase`, `neon`, `rds`, `cloudsql`";

impl From<upfront_schema::Error> for Failure {
    fn from(err: upfront_schema::Error) -> Self {
        let exit = match &err {
            it if it.is_input() => Exit::Mistaken,
            it if it.is_refused() || it.is_unmodeled() => Exit::Refused,
            _ => Exit::Failed,
        };
        if let Some(errors) = err.directory_errors() {
            let note = |it: &upfront_directory::Error| {
                let note = Note::new(it.message()).help(it.help());
                note.place(it.file(), None, it.line(), it.column())
            };
            return Self::of(exit, errors.iter().map(note).collect());
        }
        let failure = err.details().into_iter().fold(Self::new(exit, err.title()), Self::more);
        let failure = err.help().into_iter().fold(failure, Self::help);
        match () {
            () if err.is_refused() => {
                failure.help("`--using TABLE.COLUMN=EXPRESSION` sets how values are converted")
            }
            () if err.is_unmodeled() => {
                failure.help("`exclude` in `[desired]` leaves objects alone")
            }
            () if err.is_missing_object() => failure.help(MISSING),
            () => failure,
        }
    }
}

impl From<upfront_scratch::Error> for Failure {
    fn from(err: upfront_scratch::Error) -> Self {
        Self::new(Exit::Failed, format!("the scratch server failed: {err}"))
    }
}
