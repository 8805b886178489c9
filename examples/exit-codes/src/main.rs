//! A service that starts only on an up-to-date database, and whose exit code names the problem.
//!
//! A job runs the migrations (`MIGRATE=1` here); the service verifies. An orchestrator reads the
//! exit code: it restarts the service while the database is unreachable, waits while migrations are
//! pending, and pages somebody if the histories diverged.

use std::{env, error, process::ExitCode, time::Duration};

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::NoTls;
use upfront::{Error, ErrorKind, Migrator};

const PENDING: u8 = 10;
const DIVERGED: u8 = 11;
const UNREACHABLE: u8 = 12;
const OTHER: u8 = 1;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn error::Error>> {
    let config: tokio_postgres::Config = env::var("DATABASE_URL")?.parse()?;
    let pool = Pool::builder(Manager::new(config, NoTls)).build()?;
    let migrator = Migrator::builder(upfront::embedded!(), pool)
        .wait_timeout(Duration::from_secs(10))
        .build()?;
    let started = match env::var_os("MIGRATE") {
        Some(_) => migrator.up().await.map(|report| println!("{report}")),
        None => migrator.check().await,
    };
    Ok(match started {
        Ok(()) => {
            println!("ready");
            ExitCode::SUCCESS
        }
        Err(err) => ExitCode::from(report(&err)),
    })
}

/// Prints the whole error, and what the service itself makes of it.
fn report(err: &Error) -> u8 {
    eprintln!("{err}");
    match err.kind() {
        ErrorKind::Pending => {
            eprintln!("waiting for the migration job: {} pending", err.pending().len());
            PENDING
        }
        ErrorKind::Unreachable | ErrorKind::ConnectionLost => UNREACHABLE,
        ErrorKind::MigrationFailed => {
            let place = err.location().map(|it| it.to_string()).unwrap_or_default();
            let sqlstate = err.server_error().map(|it| it.sqlstate).unwrap_or_default();
            let applied = err.report().map_or(0, |it| it.applied.len());
            eprintln!("failed at {place} with {sqlstate}, after {applied} applied migrations");
            OTHER
        }
        _ if err.is_diverged() => {
            for it in err.divergences() {
                eprintln!("diverged at {}: {:?}", it.version, it.kind);
            }
            DIVERGED
        }
        _ => OTHER,
    }
}
