//! `adopt` and `baseline`

use upfront::{
    AdoptReport, Error,
    cli::{Exit, Output},
};

use crate::{
    config::Project,
    connection::database::{Requires, with},
    output::failure::Failure,
};

/// Options of `adopt`.
///
/// Hashes, names and order are compared with the files first, and any difference refuses it. The
/// other tool's table is never written.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The table of the other tool, where there are several or it has a name of its own
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Compare, show what would be recorded, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        with(project, output, Requires::Folder, async |it| {
            let table = self.table.as_deref();
            let adopted = match self.dry_run {
                true => it.migrator.plan_adopt(table).await,
                false => it.migrator.adopt(table).await,
            };
            Ok(print_report(adopted, output))
        })
    }
}

pub(crate) fn print_report(adopted: Result<AdoptReport, Error>, output: &Output) -> Exit {
    match adopted {
        Ok(it) => {
            output.result(&it, || it.to_string());
            Exit::Done
        }
        Err(err) => output.failed(&err),
    }
}
