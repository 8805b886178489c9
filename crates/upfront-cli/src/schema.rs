//! `schema`

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_schema::{Answers, Change};

use crate::{failure::Failure, project::Project, scratch, source::Source};

/// Options of `schema`.
///
/// Prints a whole schema as SQL, in an order that works and that is the same each time.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// A file or folder of SQL, a folder of migrations, or a URL; the migrations here where nothing
    /// is said
    #[arg(long, value_name = "SOURCE")]
    from: Option<String>,
}

#[derive(Serialize)]
struct Printed {
    sql: String,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let source = match &self.from {
            Some(it) => Source::of(it, project)?,
            None => Source::Migrations(project.folder()?),
        };
        let server = scratch::start_for(project, &[&source])?;
        let (empty, whole) = (scratch::database(&server)?, source.build(project, &server)?);
        let scope = scratch::scope(project, &[&whole])?;
        let none = Answers::default();
        let plan = Change::between(&empty, &whole, &scope, &none).and_then(|it| it.proven());
        let printed = Printed { sql: plan.map_err(|err| scratch::of_schema(&err))?.to_string() };
        output.result(&printed, || printed.sql.trim_end().to_owned());
        Ok(Exit::Done)
    }
}
