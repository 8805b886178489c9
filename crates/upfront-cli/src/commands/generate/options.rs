//! The options of `gen`.

use upfront_schema::Pattern;

use super::decisions::DecisionArgs;

/// Options of `gen`.
///
/// The migrations are applied to a scratch server, and what `[desired]` in `upfront.toml` names
/// builds the schema that is wanted beside it. The files for the difference are written after they
/// have been seen to work, up, down and up again.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// What the migration does, such as `add_users`
    #[arg(required_unless_present_any = ["down", "check"])]
    pub(super) name: Option<String>,
    /// Write the missing down scripts of existing migrations
    #[arg(long, conflicts_with_all = ["name", "check", "empty", "allow", "not_breaking"])]
    pub(super) down: bool,
    /// Write nothing; exit with 3 if the migrations do not make the desired schema
    #[arg(long, conflicts_with_all = ["dry_run", "empty"])]
    pub(super) check: bool,
    /// Print the files, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write empty scripts to fill in by hand
    #[arg(long, conflicts_with_all = ["dry_run"])]
    pub(super) empty: bool,
    /// Allow this effect of the up script
    #[arg(long, value_name = "WHAT")]
    pub(super) allow: Vec<Allowed>,
    /// Do not mark the migration as breaking older programs
    #[arg(long)]
    pub(super) not_breaking: bool,
    #[command(flatten)]
    pub(super) answers: DecisionArgs,
    #[command(flatten)]
    pub(super) removals: Removals,
}

/// What an up side may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Allowed {
    /// Drop objects that the desired schema lacks, and remove protection
    Drop,
    /// Delete rows or values
    DataLoss,
    /// Fail if a table has rows
    MayFail,
    /// Prove the migration on empty tables only
    StructureOnly,
}

/// Consent object by object.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Removals {
    /// Drop an object that the desired schema lacks: `--drop 'index public.a'`
    #[arg(long, value_name = "OBJECT")]
    pub(super) drop: Vec<Pattern>,
    /// Keep an object that the desired schema lacks, this time
    #[arg(long, value_name = "OBJECT")]
    pub(super) keep: Vec<Pattern>,
}
