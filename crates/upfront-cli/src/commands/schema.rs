//! `schema`

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_schema::{Change, Decisions, Diagram, Scope};
use upfront_scratch::Database;

use crate::{
    config::Project,
    output::failure::Failure,
    scratch::{self, scope, server, source::Source},
};

/// Options of `schema`.
///
/// Prints a whole schema as SQL, in an order that works and that is the same each time.
///
/// `--format mermaid` and `--format dot` draw its tables and foreign keys instead: the text of a
/// diagram of Mermaid, or of a graph of Graphviz.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Print this file or folder of SQL, folder of migrations, or URL; by default, the migrations
    /// of `upfront.toml`
    #[arg(long, value_name = "SOURCE")]
    from: Option<String>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaFormat {
    Sql,
    Mermaid,
    Dot,
}

impl SchemaFormat {
    /// By the value of `--format`.
    pub(crate) fn of(format: Option<&str>) -> Self {
        match format {
            Some("mermaid") => Self::Mermaid,
            Some("dot") => Self::Dot,
            _ => Self::Sql,
        }
    }
}

#[derive(Serialize)]
struct Printed {
    sql: String,
}

impl Arguments {
    pub(crate) fn run(
        &self,
        schema_format: SchemaFormat,
        project: &Project,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let source = match &self.from {
            Some(it) => Source::of("the database of `--from`", it, project, output)?,
            None => Source::Migrations(project.folder()?),
        };
        let server = server::start_for(project, &[&source])?;
        let (empty, whole) = (scratch::database(&server)?, source.build(project, &server, output)?);
        let mut scope = scope::scope(project, &[&whole])?;
        source.narrow(&mut scope);
        if schema_format != SchemaFormat::Sql {
            return picture(schema_format, &whole, &scope, output);
        }
        let none = Decisions::default();
        let plan = Change::between(&empty, &whole, &scope, &none).and_then(|it| it.proven());
        let printed = Printed { sql: plan?.listing() };
        output.result(&printed, || printed.sql.trim_end().to_owned());
        Ok(Exit::Done)
    }
}

fn picture(
    schema_format: SchemaFormat,
    of: &Database<'_>,
    scope: &Scope,
    output: &Output,
) -> Result<Exit, Failure> {
    let picture = Diagram::of(of, scope)?;
    let text = if schema_format == SchemaFormat::Dot { picture.dot() } else { picture.mermaid() };
    output.result(&(), || text.trim_end().to_owned());
    Ok(Exit::Done)
}
