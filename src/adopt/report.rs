//! What was taken over.

use std::fmt;

use crate::{
    embedded::Migration,
    plan::external_history::{ExternalHistory, ExternalRevision},
};

/// What [`adopt`](crate::Migrator::adopt) or [`baseline`](crate::Migrator::baseline) recorded, or
/// would record. Prints as a few lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AdoptReport {
    /// The app whose migrations these are.
    pub app: String,
    /// The tool whose history it is; none for a baseline.
    pub tool: Option<String>,
    /// Its table, qualified and quoted as in SQL.
    pub table: Option<String>,
    /// Whether it is written, or a dry run.
    pub recorded: bool,
    /// The migrations that count as applied, in order.
    pub migrations: Vec<String>,
    /// Those among them of which no hash in the history says that the file is what was applied.
    pub unchecked: Vec<String>,
    /// What is still to be applied.
    pub pending: Vec<String>,
}

impl AdoptReport {
    pub(crate) fn of(app: &str, past: &ExternalHistory, recorded: bool) -> Self {
        let title = |it: &ExternalRevision| it.migration.title();
        let unchecked = past.old.iter().filter(|it| !it.checked);
        Self {
            app: app.to_owned(),
            tool: past.source.as_ref().map(|it| it.tool.name().to_owned()),
            table: past.source.as_ref().map(|it| it.table.clone()),
            recorded,
            migrations: past.old.iter().map(title).collect(),
            unchecked: unchecked.map(title).collect(),
            pending: past.pending.iter().map(Migration::title).collect(),
        }
    }
}

impl fmt::Display for AdoptReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { app, tool, table, recorded, migrations, unchecked, pending } = self;
        let newest = migrations.last().map_or("", String::as_str);
        let many = count(migrations.len());
        let verb = if *recorded { "" } else { "would be " };
        write!(f, "app {app}: {many} up to {newest} {verb}")?;
        match (table, tool) {
            (Some(table), Some(tool)) => write!(f, "adopted from {table}, the history of {tool}")?,
            _ => f.write_str("marked as applied")?,
        }
        if let Some(it) = unchecked.last().filter(|_| table.is_some()) {
            let many = count(unchecked.len());
            let why = "not checked, as the history has no hash for it";
            write!(f, "\n  {why}: {many} up to {it}")?;
        }
        match pending.is_empty() {
            true => f.write_str("\n  nothing is pending"),
            false => pending.iter().try_for_each(|it| write!(f, "\n  pending: {it}")),
        }
    }
}

fn count(of: usize) -> String {
    match of {
        1 => "1 migration".to_owned(),
        many => format!("{many} migrations"),
    }
}
