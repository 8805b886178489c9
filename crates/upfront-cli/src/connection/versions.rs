//! The version of a server.

use deadpool_postgres::Pool;
use upfront::cli::Exit;

use crate::output::failure::Failure;

/// The major version of the database's server.
pub(crate) async fn major(pool: &Pool) -> Result<u32, Failure> {
    let ask = async {
        let client = pool.get().await.ok()?;
        let sql = "SELECT pg_catalog.current_setting('server_version_num')";
        let rows = client.simple_query(sql).await.ok()?;
        let number = rows.iter().find_map(|it| match it {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Some(number?.parse::<u32>().ok()? / 10_000)
    };
    let unknown = || Failure::new(Exit::Failed, "the server did not tell its version");
    ask.await.ok_or_else(unknown)
}
