//! `log`

use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{Cell, Color};
use jiff::{Span, Timestamp, civil::DateTime, tz::TimeZone};
use serde::Serialize;

use crate::{
    Digest, LogEntry, Migrator, Outcome, Result,
    cli::{
        exit::Exit,
        output::Output,
        table::{keep_whole, table, text},
    },
    embedded::title,
    plan::moment::Utc,
};

/// Options of `log`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Show at most N entries
    #[arg(short = 'n', long = "max-count", value_name = "N")]
    count: Option<u32>,
    /// Show each entry as one line
    #[arg(long)]
    oneline: bool,
    /// Show entries newer than TIME: `2h`, `3 days ago`, `2026-11-24`, `2026-11-24 14:00` (UTC)
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<SystemTime>,
}

#[derive(Serialize)]
struct Log<'a> {
    app: &'a str,
    entries: &'a [LogEntry],
}

impl Arguments {
    pub(super) async fn run(&self, migrator: &Migrator, output: &Output) -> Result<Exit> {
        let entries = migrator.log(self.count, self.since).await?;
        let log = Log { app: migrator.app(), entries: &entries };
        output.result(&log, || match (entries.is_empty(), self.oneline) {
            (true, _) => "nothing is logged".into(),
            (false, true) => lines(&entries),
            (false, false) => entries.iter().map(paragraph).collect::<Vec<_>>().join("\n\n"),
        });
        Ok(Exit::Done)
    }
}

fn lines(entries: &[LogEntry]) -> String {
    let mut table = table(["WHEN (UTC)", "DID", "MIGRATION", "BY"]);
    for it in entries {
        table.add_row([
            Cell::new(when(it)),
            Cell::new(did(it)).fg(color(it)),
            Cell::new(subject(it)).set_delimiter('_'),
            Cell::new(&it.login),
        ]);
    }
    keep_whole(&mut table, &[0, 1]);
    text(&table)
}

fn paragraph(it: &LogEntry) -> String {
    let style = match color(it) {
        Color::Red => AnsiColor::Red,
        Color::Yellow => AnsiColor::Yellow,
        _ => AnsiColor::Green,
    };
    let style = Style::new().bold().fg_color(Some(style.into()));
    let mut text = format!("{style}{} {}{style:#}", did(it), subject(it));
    let mut line = |name: &str, it: &str| {
        if !it.is_empty() {
            let _ = write!(text, "\n  {name:8} {it}");
        }
    };
    let took = it.duration.map(|it| format!(", took {it:.1?}")).unwrap_or_default();
    line("when:", &format!("{} UTC{took}", when(it)));
    line("who:", &who(it));
    line("where:", &origin(it));
    line("release:", it.release.as_deref().unwrap_or_default());
    line(
        "lost:",
        &it.lost.as_deref().map(|it| it.replace('\n', "\n           ")).unwrap_or_default(),
    );
    line("plan:", it.approval.as_ref().map(Digest::as_str).unwrap_or_default());
    let label = if it.sqlstate.is_some() { "error:" } else { "note:" };
    let code = it.sqlstate.as_deref().map(|it| format!(" (SQLSTATE {it})")).unwrap_or_default();
    let message = it.message.as_deref().map(|it| it.replace('\n', "\n           "));
    line(label, &message.map(|it| format!("{it}{code}")).unwrap_or_default());
    text
}

fn when(it: &LogEntry) -> String {
    Utc(it.at).to_string()
}

fn did(it: &LogEntry) -> String {
    match it.outcome {
        Outcome::Failed => format!("{} failed", it.direction),
        other => other.to_string(),
    }
}

/// The migration; the mark of a protected database concerns none.
fn subject(it: &LogEntry) -> String {
    match it.version.as_str() {
        "" => "database".to_owned(),
        version => title(version, &it.name),
    }
}

fn who(it: &LogEntry) -> String {
    match it.login == it.role {
        true => it.login.clone(),
        false => format!("{} as {}", it.login, it.role),
    }
}

fn origin(it: &LogEntry) -> String {
    let host = it.host.clone().unwrap_or_default();
    let address = it.address.as_ref().map(|it| format!("from {it}")).unwrap_or_default();
    let application = format!("application `{}`", it.application);
    let parts = [host, address, application];
    parts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ")
}

fn color(it: &LogEntry) -> Color {
    match it.outcome {
        Outcome::Failed => Color::Red,
        Outcome::Reverted | Outcome::Unprotected | Outcome::Resolved => Color::Yellow,
        _ => Color::Green,
    }
}

/// A moment, or how long ago it was.
fn since(text: &str) -> Result<SystemTime, String> {
    let ago = || {
        let now = Timestamp::now().to_zoned_datetime(TimeZone::UTC);
        Some(now.checked_sub(text.parse::<Span>().ok()?.abs()).ok()?.timestamp())
    };
    let moment =
        text.parse().ok().or_else(|| utc(text)).or_else(ago).ok_or(
            "neither a time, as `2026-11-24 14:00`, nor how long ago, as `2h` or `3 days`",
        )?;
    let seconds = u64::try_from(moment.as_second()).map_err(|_| "this is before 1970")?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn utc(text: &str) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    #[test]
    fn reads_moments_and_ages() {
        let at = |it: &str| super::since(it).unwrap();
        let known = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_528_800);
        assert_eq!(at("2026-11-24 14:00"), known);
        assert_eq!(at("2026-11-24T15:00:00+01:00"), known);
        assert_eq!(at("2026-11-24"), known - Duration::from_secs(14 * 3600));
        for (text, hours) in [("2h", 2), ("3 days ago", 72), ("1 week", 168)] {
            let age = SystemTime::now().duration_since(at(text)).unwrap();
            let off = age.abs_diff(Duration::from_secs(hours * 3600));
            assert!(off < Duration::from_secs(60), "{text}: {age:?}");
        }
        assert!(super::since("lately").is_err());
    }
}
