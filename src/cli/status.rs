//! `status`

use comfy_table::{Cell, Color};

use crate::{
    Down, DownObstacle, DownScript, Entry, Migrator, Result, State, Status,
    cli::{
        exit::Exit,
        output::Output,
        table::{keep_whole, table, text},
    },
    embedded::title,
    plan::moment::Utc,
};

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
    let refusal = it.refusal().map(|it| format!("{}\n", Output::completed(&it.to_string())));
    let summary = format!("{}{}", refusal.unwrap_or_default(), it.summary());
    let facts = it.facts().into_iter().chain(unknown_newest(it));
    let facts: String = facts.map(|it| Output::completed(&it) + "\n").collect();
    if it.entries.is_empty() {
        return facts + &summary;
    }
    let is_noted = it.entries.iter().any(|it| note(it).is_some());
    let mut table = match is_noted {
        true => table(["VERSION", "NAME", "STATE", "APPLIED (UTC)", "DOWN", "NOTE"]),
        false => table(["VERSION", "NAME", "STATE", "APPLIED (UTC)", "DOWN"]),
    };
    let columns = table.column_count();
    for it in &it.entries {
        table.add_row(cells(it).into_iter().take(columns));
    }
    keep_whole(&mut table, &[0, 2, 3, 4]);
    format!("{}\n{facts}{summary}", text(&table))
}

/// How the newest migration is taken back, if it is not in the directory: its file may be deleted.
fn unknown_newest(it: &Status) -> Option<String> {
    let newest = it.entries.iter().rfind(|it| it.applied_at.is_some())?;
    if newest.state != State::Ahead {
        return None;
    }
    let (version, title) = (&newest.version, title(&newest.version, &newest.name));
    Some(match &newest.down {
        Some(Down { possible: true, .. }) => {
            format!("{title} is not here: `upfront down` rolls it back by the stored down script")
        }
        _ => format!(
            "{title} is not here and cannot be rolled back: if it was undone by hand, record that with \
             `upfront resolve {version} --rolled-back`"
        ),
    })
}

fn cells(it: &Entry) -> [Cell; 6] {
    [
        Cell::new(&it.version),
        Cell::new(&it.name).set_delimiter('_'),
        Cell::new(it.state).fg(color(it.state)),
        Cell::new(it.applied_at.map_or_else(|| "-".to_owned(), |it| Utc(it).to_string())),
        Cell::new(down(it)),
        Cell::new(note(it).unwrap_or_default()),
    ]
}

/// Can it be rolled back?
fn down(it: &Entry) -> &'static str {
    match &it.down {
        None => "-",
        Some(Down { obstacle: Some(DownObstacle::NoScript), .. }) => "none",
        Some(Down { possible: false, .. }) => "no",
        Some(Down { script: DownScript::Stored, .. }) => "stored",
        Some(_) => "yes",
    }
}

/// More about it, with the reason why it cannot be rolled back if that is not plain.
fn note(it: &Entry) -> Option<String> {
    let no_script = Some(DownObstacle::NoScript);
    let down = it.down.as_ref().filter(|it| it.obstacle != no_script);
    let reason = down.and_then(|it| it.reason.as_deref());
    let parts: Vec<_> = it.note.as_deref().into_iter().chain(reason).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn color(it: State) -> Color {
    match it {
        State::Applied => Color::Green,
        State::Pending | State::Running | State::Held | State::Ahead => Color::Yellow,
        State::Partial | State::Diverged => Color::Red,
    }
}
