//! Ctrl-C and SIGTERM, and what became of the migration that was running.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};
use tokio::time::{Instant, sleep};

use crate::{
    Direction, Migrator, Result,
    cli::{exit::Exit, output::Output},
    connection::session::{self, borrow},
    error::Details,
    execute::context::Context,
    plan::{history::History, journal::Journal, metadata::Tables},
};

/// A migration that has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) version: String,
    pub(super) title: String,
    pub(super) direction: Direction,
}

/// How long the server may take to notice that the program is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Works until a signal comes. What was under way is dropped then, and its connection closes.
pub(super) async fn or_signal<T>(context: impl Future<Output = T>) -> Result<T, Exit> {
    match select(pin!(context), pin!(signal())).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right((exit, _)) => Err(exit),
    }
}

#[cfg(unix)]
async fn signal() -> Exit {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        return std::future::pending().await;
    };
    match select(pin!(interrupt.recv()), pin!(terminate.recv())).await {
        Either::Left(_) => Exit::Interrupted,
        Either::Right(_) => Exit::Terminated,
    }
}

#[cfg(not(unix))]
async fn signal() -> Exit {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Exit::Interrupted,
        Err(_) => std::future::pending().await,
    }
}

/// Prints what a signal left behind.
pub(super) async fn report(
    migrator: &Migrator,
    running: &[Running],
    done: usize,
    exit: Exit,
    output: &Output,
) -> Exit {
    let what = match running {
        [] if done == 0 => "no migration was running; nothing was changed".to_owned(),
        [] => format!("no migration was running; {done} came to their end before"),
        running => {
            output.note("interrupted; asking the server what became of the migration");
            match or_signal(Box::pin(outcome(migrator, running))).await {
                Ok(Ok(it)) => it,
                Ok(Err(err)) => format!("{}: {err}", unknown(running)),
                Err(_) => unknown(running),
            }
        }
    };
    output.error(exit, &format!("interrupted: {what}"));
    exit
}

fn unknown(running: &[Running]) -> String {
    let titles: Vec<_> = running.iter().map(|it| format!("`{}`", it.title)).collect();
    format!("the outcome of {} is unknown; `upfront status` shows it", titles.join(", "))
}

async fn outcome(migrator: &Migrator, running: &[Running]) -> Result<String> {
    let context = Context::new(migrator.migrations.set()?, &migrator.settings);
    let client = borrow(&migrator.pool, PATIENCE).await?;
    let is_free = until_free(&context, &client).await?;
    let history = context.history(&client, Tables::Current).await?;
    let mut lines: Vec<_> = running.iter().map(|it| of_one(it, &history)).collect();
    if !is_free {
        let holder = session::ask(&client, &context.revisions.holder()).await.unwrap_or_default();
        let holder = holder.row("upfront_pid").and_then(session::holder);
        let holder = holder.map_or_else(|| "another session".into(), |it| it.to_string());
        lines.push(format!("the migration lock is still taken: {holder}"));
    }
    Ok(lines.join("\n  "))
}

/// Waits until the server has ended the session that was dropped; `false` if it takes too long, or
/// if another process came in between.
async fn until_free(context: &Context<'_>, client: &deadpool_postgres::Object) -> Result<bool> {
    let since = Instant::now();
    let doing = "asking for the migration lock";
    while since.elapsed() < PATIENCE {
        let answer = session::ask(client, &context.revisions.probe_lock()).await;
        let answer = answer.map_err(|source| Details::Server { doing, source })?;
        if answer.row("upfront_locked").and_then(|it| it.get(0)) == Some("t") {
            return Ok(true);
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(false)
}

/// What the database says of one migration.
fn of_one(it: &Running, history: &History) -> String {
    let Running { version, title, direction } = it;
    let row = history.rows.iter().find(|row| row.version == *version);
    let mine = |row: &&Journal| row.version == *version && row.direction == *direction;
    let last = history.journal.iter().filter(mine).max_by_key(|it| it.ordinal);
    match (direction, row, last) {
        (Direction::Up, Some(_), _) => format!("`{title}` finished: it is applied"),
        (Direction::Down, None, _) => format!("`{title}` finished: it is rolled back"),
        (_, _, Some(last)) => partly(title, *direction, last),
        (Direction::Up, None, None) => {
            format!("`{title}` was rolled back; nothing of it is applied")
        }
        (Direction::Down, Some(row), None) if row.chain.bytes().all(|it| it == b'0') => {
            format!("the rollback of `{title}` has begun; the next `down` or `up` continues it")
        }
        (Direction::Down, Some(_), None) => {
            format!("`{title}` is still applied; nothing of it was rolled back")
        }
    }
}

fn partly(title: &str, direction: Direction, last: &Journal) -> String {
    let next = match direction {
        Direction::Up => "`up`",
        Direction::Down => "`down` or `up`",
    };
    let ordinal = last.ordinal;
    match (last.finished, last.failed()) {
        (true, _) => {
            format!("`{title}` is done up to statement {ordinal}; the next {next} continues there")
        }
        (false, Some(_)) => {
            format!("statement {ordinal} of `{title}` failed; the next {next} tries it again")
        }
        (false, None) => format!(
            "the outcome of statement {ordinal} of `{title}` is unknown; the next {next} finds out, \
             or says how to continue"
        ),
    }
}
