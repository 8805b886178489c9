//! A small HTTP service whose schema is part of the program.
//!
//! It accepts requests from the start: `/livez` reports that the process is alive, `/readyz` that the
//! database has the schema that this program was compiled for.

mod api;
mod database;

use std::{env, io::ErrorKind};

use anyhow::Context;
use deadpool_postgres::Pool;
use tokio::{
    net::TcpListener,
    select,
    signal::unix::{SignalKind, signal},
};
use upfront::Migrator;

use crate::{api::ReadyPool, database::Database};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().compact().with_target(false).init();
    let listener = listen().await?;
    let database = Database::open()?;
    print_usage(&listener)?;
    serve(listener, database.pool()?).await
}

/// Serves requests and migrates the database, until a signal arrives or something fails.
async fn serve(listener: TcpListener, pool: Pool) -> anyhow::Result<()> {
    let ready = ReadyPool::default();
    let server = axum::serve(listener, api::router(ready.clone()));
    let server = server.with_graceful_shutdown(stopped()?);
    let boot = async {
        let report = Migrator::new(upfront::embedded!(), pool.clone()).up().await?;
        tracing::info!(%report, "the schema is up to date");
        ready.set(pool);
        anyhow::Ok(())
    };
    select! {
        result = server.into_future() => Ok(result?),
        Err(err) = boot => Err(err),
    }
}

async fn listen() -> anyhow::Result<TcpListener> {
    let port = env::var("PORT").unwrap_or_else(|_| "3000".into());
    let port = port.parse().with_context(|| format!("`PORT` is `{port}`, which is no port"))?;
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|err| match err.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!("port {port} is taken: set `PORT` to another"),
        _ => anyhow::Error::new(err).context(format!("cannot listen on port {port}")),
    })
}

/// Completes on Ctrl-C or SIGTERM.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
    })
}

fn print_usage(listener: &TcpListener) -> anyhow::Result<()> {
    const NOTE: &str = r#"{"topic": "general", "body": "Hello"}"#;
    let url = format!("http://{}", listener.local_addr()?);
    println!("Serving on {url}. Ctrl-C ends it. Try:");
    println!("  curl -i {url}/readyz");
    println!("  curl {url}/notes");
    println!("  curl '{url}/notes?topic=migrations'");
    println!("  curl {url}/notes -H 'content-type: application/json' -d '{NOTE}'");
    Ok(())
}
