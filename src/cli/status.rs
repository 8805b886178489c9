//! `status`

use comfy_table::{Cell, Color};

use super::{
    Exit, Output,
    table::{keep_whole, table, text},
};
use crate::{Entry, Migrator, Result, State, Status};

/// Options of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Exit with 3 where something is pending, and with 4 where something diverged
    #[arg(long)]
    exit_code: bool,
}

impl Arguments {
    pub(super) async fn run(&self, migrator: &Migrator, output: &Output) -> Result<Exit> {
        let status = migrator.status().await?;
        output.result(&status, || print(&status));
        Ok(if self.exit_code { exit(&status) } else { Exit::Done })
    }
}

fn exit(it: &Status) -> Exit {
    let has = |state| it.in_state(state).next().is_some();
    let is_refused = it.in_state(State::Ahead).any(|it| it.breaking);
    let unfinished = [State::Pending, State::Running, State::Partial];
    let is_unfinished = unfinished.into_iter().any(has);
    match (has(State::Diverged) || is_refused, is_unfinished) {
        (true, _) => Exit::Diverged,
        (false, true) => Exit::Pending,
        (false, false) => Exit::Done,
    }
}

fn print(it: &Status) -> String {
    let refusal = it.refusal().map(|it| format!("{}\n", Output::completed(&Output::words(&it))));
    let summary = format!("{}{}", refusal.unwrap_or_default(), summary(it));
    if it.entries.is_empty() {
        return summary;
    }
    let is_noted = it.entries.iter().any(|it| it.note.is_some());
    let mut table = match is_noted {
        true => table(["VERSION", "NAME", "STATE", "APPLIED (UTC)", "NOTE"]),
        false => table(["VERSION", "NAME", "STATE", "APPLIED (UTC)"]),
    };
    let columns = table.column_count();
    for it in &it.entries {
        table.add_row(cells(it).into_iter().take(columns));
    }
    keep_whole(&mut table, &[0, 2, 3]);
    format!("{}\n{summary}", text(&table))
}

fn cells(it: &Entry) -> [Cell; 5] {
    [
        Cell::new(&it.version),
        Cell::new(&it.name).set_delimiter('_'),
        Cell::new(it.state).fg(color(it.state)),
        Cell::new(it.applied_at.as_deref().unwrap_or("-")),
        Cell::new(it.note.as_deref().unwrap_or_default()),
    ]
}

fn color(it: State) -> Color {
    match it {
        State::Applied => Color::Green,
        State::Pending | State::Running | State::Held | State::Ahead => Color::Yellow,
        State::Partial | State::Diverged => Color::Red,
    }
}

/// The last line of the library's own text.
fn summary(it: &Status) -> String {
    it.to_string().lines().last().unwrap_or_default().to_owned()
}
