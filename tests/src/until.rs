//! Asking a database, once or until it says what a test waits for.

use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use tokio::time::sleep;
use tokio_postgres::SimpleQueryMessage;

use crate::connect;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the SQL gives, as `psql` would print it: `|` between columns, a line for each row.
///
/// # Panics
///
/// The server does not answer, or refuses the SQL.
pub async fn ask(url: &str, sql: &str) -> String {
    text(&connect(url).await, sql).await
}

/// Asks until the answer is the expected one.
///
/// # Panics
///
/// It is another one for half a minute.
pub async fn until(url: &str, sql: &str, expected: &str) {
    let client = connect(url).await;
    let since = Instant::now();
    loop {
        let answer = text(&client, sql).await;
        if answer == expected {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "`{sql}` gives `{answer}`, not `{expected}`");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until somebody's wait for a locked table was given up and another one began, or is one that
/// no lock timeout of a boot cuts off.
///
/// # Panics
///
/// Nobody waits twice within half a minute.
pub async fn until_waited_for(url: &str, table: &str) {
    let waits = format!(
        "SELECT waitstart, clock_timestamp() - waitstart > interval '500 ms' FROM pg_locks WHERE \
         relation = to_regclass('{table}') AND mode <> 'AccessExclusiveLock' AND NOT granted AND \
         waitstart IS NOT NULL LIMIT 1"
    );
    let client = connect(url).await;
    let (since, mut first) = (Instant::now(), String::new());
    while since.elapsed() < PATIENCE {
        let answer = text(&client, &waits).await;
        match answer.split_once('|') {
            Some((_, "t")) => return,
            Some((start, _)) if first.is_empty() => start.clone_into(&mut first),
            Some((start, _)) if start != first => return,
            _ => sleep(Duration::from_millis(5)).await,
        }
    }
    panic!("nobody waits for `{table}` twice");
}

pub(crate) async fn text(client: &Object, sql: &str) -> String {
    let answer = client.simple_query(sql).await.unwrap();
    let line = |it: &SimpleQueryMessage| match it {
        SimpleQueryMessage::Row(row) => {
            let values = (0..row.len()).map(|at| row.get(at).unwrap_or_default());
            Some(values.collect::<Vec<_>>().join("|"))
        }
        _ => None,
    };
    answer.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}
