//! The options that say what the schemas do not.

use upfront_schema::{ColumnExpression, Decisions, Rename};

/// What only an author can know.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct DecisionArgs {
    /// Rename an object: `users.nick=handle`
    #[arg(long, value_name = "OLD=NEW")]
    rename: Vec<Rename>,
    /// Drop an object that looks renamed: `users.nick`
    #[arg(long, value_name = "OLD")]
    no_rename: Vec<String>,
    /// Fill a column that becomes NOT NULL: `users.nick=lower(name)`
    #[arg(long, value_name = "COLUMN=EXPR")]
    fill: Vec<ColumnExpression>,
    /// Convert the values of a column to its new type: `users.age=age::int`
    #[arg(long, value_name = "COLUMN=EXPR")]
    using: Vec<ColumnExpression>,
    /// Convert the values when rolling back
    #[arg(long, value_name = "COLUMN=EXPR")]
    using_down: Vec<ColumnExpression>,
}

impl DecisionArgs {
    pub(crate) fn read(&self) -> Decisions {
        Decisions {
            renames: self.rename.clone(),
            not_renamed: self.no_rename.clone(),
            fills: self.fill.clone(),
            usings: self.using.clone(),
            usings_down: self.using_down.clone(),
            ..Decisions::default()
        }
    }
}
