//! The options that say where the command works, and the runtime for what waits.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use upfront::cli::Exit;

use crate::output::failure::Failure;

/// Which database and which folder.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct ProjectArgs {
    /// Use this environment of `upfront.toml` instead of `dev`
    #[arg(long, value_name = "ENV", global = true)]
    pub(crate) env: Option<String>,
    /// Use this database instead of the environment's
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// Use this folder of migrations
    // clap's own parser of paths refuses an empty one in its own words.
    #[arg(long, value_name = "DIR", global = true,
          value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) dir: Option<PathBuf>,
    /// Use this name for the set of migrations in the database
    #[arg(long, value_name = "APP", global = true)]
    pub(crate) app: Option<String>,
    /// Use upfront's tables in this schema
    #[arg(long, value_name = "SCHEMA", global = true)]
    pub(crate) schema: Option<String>,
    /// Trust upfront's tables if this role owns them
    #[arg(long, value_name = "ROLE", global = true)]
    pub(crate) trusted_owner: Option<String>,
}

impl ProjectArgs {
    /// An option without a value is a mistake, as a rule an unset variable of a script: without it,
    /// the command would go to another database, or to another history.
    pub(crate) fn refuse_empty(&self) -> Result<(), Failure> {
        let dir = self.dir.as_ref().map(|it| it.as_os_str().to_string_lossy().into_owned());
        let options = [
            ("--env", &self.env),
            ("--url", &self.url),
            ("--dir", &dir),
            ("--app", &self.app),
            ("--schema", &self.schema),
            ("--trusted-owner", &self.trusted_owner),
        ];
        let is_empty = |it: &Option<String>| it.as_ref().is_some_and(|it| it.trim().is_empty());
        match options.into_iter().find(|(_, value)| is_empty(value)) {
            Some((name, _)) => Err(Failure::empty(&format!("option `{name}`"))
                .help(format!("give `{name}` a value, or leave it out"))),
            None => Ok(()),
        }
    }
}

/// Runs a future to its end, and all that it has spawned no longer.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|err| Failure::new(Exit::Failed, format!("cannot start the runtime: {err}")))?;
    runtime.block_on(future)
}
