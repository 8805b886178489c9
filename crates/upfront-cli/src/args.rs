//! The command line, and who does what it asks for.

use std::{
    env,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{
    Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};
use upfront::cli::{Exit, Format, Output, Verb, with_examples};

use crate::{
    commands::{
        adopt, baseline, check_schema, completions, diff, generate, hash, import, init, man, new,
        other_tools, protect, release, rm,
        schema::{self, SchemaFormat},
        shared, verify,
    },
    config::Project,
    context::ProjectArgs,
    output::failure::Failure,
};

/// PostgreSQL migrations compiled into Rust services
///
/// Settings come from `upfront.toml`, in this folder or one above it. Without that file, set the
/// database by `--url`, `DATABASE_URL` or the variables of libpq (`PGHOST` …).
#[derive(Debug, Parser)]
#[command(name = "upfront", version, max_term_width = 100, after_long_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: ProjectArgs,
    #[command(flatten)]
    output: Output,
    /// Increase log verbosity; `-vv` logs each statement
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = GLOBAL)]
    verbose: u8,
}

const GLOBAL: &str = "Global options";

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
    /// Write `upfront.toml` and a folder for migrations
    Init(init::Arguments),
    /// Write the files of a new migration
    #[command(aliases = ["add", "create"])]
    New(new::Arguments),
    /// Generate a migration that reaches the desired schema
    Gen(generate::Arguments),
    /// Print the SQL that turns one schema into another
    Diff(diff::Arguments),
    /// Print a schema as SQL or as a diagram
    Schema(schema::Arguments),
    /// Roll a migration back, delete its files and update `atlas.sum`
    Rm(rm::Arguments),
    /// Update `atlas.sum`
    Hash(hash::Arguments),
    /// Convert a folder of sqlx migrations
    Import(import::Arguments),
    #[command(flatten)]
    Database(Verb),
    /// Replay all migrations up, down and up again on a scratch server
    Verify(verify::Arguments),
    /// Adopt the history of Atlas or sqlx in a database
    Adopt(adopt::Arguments),
    /// Record that a database made by hand is at a version
    Baseline(baseline::Baseline),
    /// Require an approved plan for changes of a database
    Protect(protect::Arguments),
    /// Release held migrations
    Release(release::Release),
    /// Print a script that completes commands in a shell
    Completions(completions::Arguments),
    /// Print candidates for the last word of a command line
    #[command(hide = true)]
    Complete(completions::Complete),
    /// Print or write man pages
    Man(man::Arguments),
}

/// The verbs that only this command has, with examples.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "init",
        &[
            ("init", "write `upfront.toml` for this folder"),
            ("init --models", "and let `gen` read the structs of this crate"),
        ],
    ),
    (
        "new",
        &[
            ("new add_users", "write an up and a down script to fill in"),
            ("new add_users --no-down", "write the up script alone"),
        ],
    ),
    (
        "gen",
        &[
            ("gen add_users", "write the migration to the desired schema"),
            ("gen add_users --dry-run", "print it instead"),
            ("gen --check", "exit with 3 if the desired schema differs"),
        ],
    ),
    (
        "diff",
        &[
            ("diff --from migrations --to schema.sql", "compare files"),
            ("diff --from postgres://localhost/app --to migrations", "undo drift"),
        ],
    ),
    (
        "schema",
        &[
            ("schema", "print the schema that the migrations make"),
            ("schema --from postgres://localhost/app", "print the schema of a database"),
            ("schema --format mermaid", "draw tables and references; also `dot` (Graphviz)"),
        ],
    ),
    (
        "rm",
        &[
            ("rm 20261122101500", "on the environment `dev`"),
            ("rm 20261122101500 --env staging", "there, too: by the stored down script"),
            ("rm 20261122101500 --files-only", "without a database"),
        ],
    ),
    (
        "hash",
        &[
            ("hash", "write `atlas.sum` for the files of the folder"),
            ("hash --check", "fail if it is out of date"),
        ],
    ),
    (
        "import",
        &[
            ("import ../old/migrations", "convert into the folder of `upfront.toml`"),
            ("import ../old/migrations --to converted", "convert into another folder"),
        ],
    ),
    (
        "verify",
        &[
            ("verify", "replay on the PostgreSQL of this machine"),
            ("verify --major 16", "replay on PostgreSQL 16"),
        ],
    ),
    (
        "adopt",
        &[
            ("adopt --dry-run", "compare, and show what would be recorded"),
            ("adopt --table public._sqlx_migrations", "name the other tool's table"),
        ],
    ),
    (
        "baseline",
        &[
            ("baseline 20261122101500 --dry-run", "compare, and show what would be recorded"),
            ("baseline 20261122101500", "record all migrations up to this one"),
        ],
    ),
    (
        "protect",
        &[
            ("protect --env prod", "set the mark"),
            ("protect --env prod --remove", "remove the mark"),
        ],
    ),
    (
        "release",
        &[
            ("release 20261122101500", "let `up` apply it again"),
            ("release 20261122101500 20261123101500", "release two migrations"),
        ],
    ),
    (
        "completions",
        &[
            ("completions bash >> ~/.bashrc", "complete verbs, environments and versions"),
            ("completions zsh > ~/.zfunc/_upfront", "the same for zsh"),
        ],
    ),
    (
        "man",
        &[
            ("man | man -l -", "show the page of `upfront`"),
            ("man ~/.local/share/man/man1", "write a page for each verb"),
        ],
    ),
];

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
            let _ = writeln!(io::stderr(), "error: {}", Output::completed(&it));
            CODE.into()
        }
        None => err.exit(),
    }
}

/// Does `check` have `--schema` without a name? With one it is the option of all commands.
fn has_bare_schema(check: &ArgMatches) -> bool {
    let given = check.get_occurrences::<String>("schema");
    given.is_some_and(|mut it| it.any(|values| values.len() == 0))
}

/// The command line, with what a service's own has not.
pub(crate) fn command() -> clap::Command {
    let schema = Arg::new("schema").long("schema").value_name("SCHEMA");
    let schema = schema.num_args(0..=1).action(ArgAction::Append).help(
        "Compare the schema with the migrations, too; with a name, use upfront's tables in SCHEMA",
    );
    let command = with_examples(Arguments::command(), "upfront", EXAMPLES)
        .mut_subcommand("check", |it| it.arg(schema))
        .mut_arg("format", |it| it.value_parser(formats()));
    match is_without_size() {
        true => command.term_width(80),
        false => command,
    }
}

/// Is the standard output a terminal of no size, as some runners have it?
fn is_without_size() -> bool {
    io::stdout().is_terminal() && Output::width() == Some(80)
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
            Self::Database(it) if let Some(exit) = it.run_offline(output) => return Ok(exit),
            Self::Database(_) if more.schema => return check_schema::run(&project()?, output),
            Self::Database(it) => return shared::run(it, &project()?, output),
            Self::Verify(it) => return it.run(&project()?, output),
            Self::Adopt(it) => return it.run(&project()?, output),
            Self::Baseline(it) => return it.run(&project()?, output),
            Self::Protect(it) => return it.run(&project()?, output),
            Self::Release(it) => return it.run(&project()?, output),
            Self::Completions(it) => it.run(command(), output),
            Self::Complete(it) => it.run(command(), output),
            Self::Man(it) => it.run(command(), output)?,
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
