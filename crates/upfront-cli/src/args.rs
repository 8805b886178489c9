//! The command line, and who does what it asks for.

use std::{env, io, process::ExitCode};

use clap::{
    Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};
use upfront::cli::{Exit, Format, Output, Verb};

use crate::{
    commands::{
        adopt, baseline, check_schema, completions, diff, generate, hash, import, init, new,
        other_tools, protect, release, rm,
        schema::{self, SchemaFormat},
        shared, verify,
    },
    config::Project,
    context::ProjectArgs,
    output::failure::Failure,
};

/// PostgreSQL migrations that a Rust service compiles in
///
/// Settings are read from `upfront.toml`, here or in a folder above. Without that file `--url`,
/// `DATABASE_URL` or the variables of libpq (`PGHOST` …) say where the database is.
#[derive(Debug, Parser)]
#[command(name = "upfront", version, max_term_width = 100, after_long_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: ProjectArgs,
    #[command(flatten)]
    output: Output,
    /// Say more of what is done; twice for each statement
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

const EXIT_CODES: &str = "Exit codes:
  0  done, or there was nothing to do
  1  any other failure, such as a migration that failed
  2  a mistake in the command line
  3  something is pending (`check`, `status --exit-code`, `gen --check`)
  4  database and directory have diverged (`check --schema`: in their schemas)
  5  refused, and nothing was changed
  6  refused, as data would be lost
  7  the database cannot be reached, or turned the connection away
  8  the directory of migrations, `upfront.toml` or the URL has mistakes
  130, 143  interrupted (Ctrl-C, SIGTERM); the last line says what became of the migration";

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes `upfront.toml` and a folder for migrations
    Init(init::Arguments),
    /// Writes the files of a new migration
    #[command(aliases = ["add", "create"])]
    New(new::Arguments),
    /// Writes the migration that leads to the schema which is wanted
    Gen(generate::Arguments),
    /// Prints the SQL that turns one schema into another
    Diff(diff::Arguments),
    /// Prints a schema as SQL
    Schema(schema::Arguments),
    /// Roll a migration back, delete its files and update `atlas.sum`
    Rm(rm::Arguments),
    /// Writes `atlas.sum` anew
    Hash(hash::Arguments),
    /// Converts a folder of sqlx migrations
    Import(import::Arguments),
    #[command(flatten)]
    Database(Verb),
    /// Replays all migrations up, down and up again on a scratch server
    Verify(verify::Arguments),
    /// Takes over the history that Atlas or sqlx has in a database
    Adopt(adopt::Arguments),
    /// Marks a database that was made by hand as being at a version
    Baseline(baseline::Baseline),
    /// Marks a database, so that a person needs an approved plan to change it
    Protect(protect::Arguments),
    /// Lets migrations come back that were rolled back and are held
    Release(release::Release),
    /// Prints a script that completes commands in a shell
    Completions(completions::Arguments),
}

/// What this command adds to verbs and options of the library.
#[derive(Debug, Clone, Copy)]
struct CliExtensions {
    /// `check --schema`
    schema: bool,
    /// `schema --format mermaid`
    schema_format: SchemaFormat,
}

/// Does what the command line asks for.
pub(crate) fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(it) => it,
        Err(err) => return refused(&err),
    };
    let it = Arguments::from_arg_matches(&matches).unwrap_or_else(|err| err.exit());
    let compares = matches.subcommand_matches("check").is_some_and(has_bare_schema);
    let format = matches.get_raw("format").and_then(|mut it| it.next_back()?.to_str());
    let schema_format = SchemaFormat::of(format);
    if schema_format != SchemaFormat::Sql && !matches!(it.command, Command::Schema(_)) {
        let message = "only `schema` has the formats `mermaid` and `dot`";
        command().error(ErrorKind::InvalidValue, message).exit();
    }
    let more = CliExtensions { schema: compares, schema_format };
    it.trace();
    let ran = it.place.refuse_empty().and_then(|()| it.command.run(more, &it.place, &it.output));
    match ran {
        Ok(exit) => exit.into(),
        Err(failure) => failure.print(&it.output).into(),
    }
}

/// A command line that is a mistake, or one of another tool.
fn refused(err: &clap::Error) -> ExitCode {
    const CODE: u8 = 2;
    let is_mistake =
        [ErrorKind::InvalidSubcommand, ErrorKind::UnknownArgument].contains(&err.kind());
    let words = other_tools::words(env::args());
    match other_tools::hint(&words).filter(|_| is_mistake) {
        Some(it) => {
            eprintln!("error: {}", Output::completed(&it));
            CODE.into()
        }
        None => err.exit(),
    }
}

const DRAWN: &str =
    "`--format mermaid` and `--format dot` (Graphviz) draw the tables and their references.";

/// Does `check` have `--schema` without a name? With one it is the option of all commands.
fn has_bare_schema(check: &ArgMatches) -> bool {
    let given = check.get_occurrences::<String>("schema");
    given.is_some_and(|mut it| it.any(|values| values.len() == 0))
}

/// The command line, with what a service's own has not.
pub(crate) fn command() -> clap::Command {
    let schema = Arg::new("schema").long("schema").value_name("SCHEMA");
    let schema = schema.num_args(0..=1).action(ArgAction::Append).help(
        "Compare the schema with what the migrations make, too; with a name, the schema of \
         upfront's own tables",
    );
    Arguments::command()
        .mut_subcommand("check", |it| it.arg(schema))
        .mut_subcommand("schema", |it| it.after_help(DRAWN))
        .mut_arg("format", |it| it.value_parser(formats()))
}

/// Those of the library, and those of `schema` alone.
fn formats() -> impl TypedValueParser<Value = Format> {
    let schema_format = ["mermaid", "dot"].map(|it| PossibleValue::new(it).hide(true));
    let usual = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let all = PossibleValuesParser::new(usual.chain(schema_format));
    all.map(|it| Format::from_str(&it, false).unwrap_or_default())
}

impl Command {
    fn run(
        &self,
        more: CliExtensions,
        place: &ProjectArgs,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let project = || Project::find(place);
        match self {
            Self::Init(it) => it.run(place, output)?,
            Self::New(it) => it.run(&project()?, output)?,
            Self::Gen(it) => return it.run(&project()?, output),
            Self::Diff(it) => return it.run(&project()?, output),
            Self::Schema(it) => return it.run(more.schema_format, &project()?, output),
            Self::Rm(it) => return it.run(&project()?, output),
            Self::Hash(it) => it.run(&project()?, output)?,
            Self::Import(it) => it.run(project, output)?,
            Self::Database(_) if more.schema => return check_schema::run(&project()?, output),
            Self::Database(it) => return shared::run(it, &project()?, output),
            Self::Verify(it) => return it.run(&project()?, output),
            Self::Adopt(it) => return it.run(&project()?, output),
            Self::Baseline(it) => return it.run(&project()?, output),
            Self::Protect(it) => return it.run(&project()?, output),
            Self::Release(it) => return it.run(&project()?, output),
            Self::Completions(it) => it.run(command()),
        }
        Ok(Exit::Done)
    }
}

impl Arguments {
    fn trace(&self) {
        let level = match self.verbose {
            0 => return,
            1 => "upfront=info",
            _ => "upfront=debug",
        };
        tracing_subscriber::fmt()
            .with_env_filter(level)
            .with_writer(io::stderr)
            .with_ansi(self.output.has_colors())
            .init();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
