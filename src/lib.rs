//! PostgreSQL migrations, compiled into your Rust service and applied before it serves traffic.
//!
//! A migrations directory becomes part of the program at build time. At boot, [`Migrator::up`]
//! compares it with the history in the database and applies pending migrations, exactly once across
//! replicas and crashes. A boot with nothing to do costs one round trip.
//!
//! # Start
//!
//! Add `upfront` to the dependencies and `upfront-build` to the build dependencies. Embed the
//! directory in the build script:
//!
//! ```ignore
//! // build.rs
//! fn main() {
//!     upfront_build::embed("migrations");
//! }
//! ```
//!
//! Apply the migrations before you serve. [`embedded!`] is the set from the build script:
//!
//! ```no_run
//! use upfront::Migrator;
//!
//! async fn start(pool: deadpool_postgres::Pool) -> upfront::Result<()> {
//!     let migrator = Migrator::new(upfront::embedded!(), pool.clone());
//!     let report = migrator.up().await?;
//!     println!("{report}"); // applied 3 migrations up to 20261115101500 in 218.7ms
//!     // Now serve.
//!     Ok(())
//! }
//! ```
//!
//! # What happens at boot
//!
//! 1. **Look.** One query compares a fingerprint of the history with the one compiled in. If they
//!    are equal, the boot is done.
//! 2. **Lock.** One process migrates. The others wait, without an open transaction, until it is
//!    done.
//! 3. **Plan.** History and program are compared. A contradiction is an error, and nothing is
//!    changed.
//! 4. **Apply.** Each migration runs in a transaction, together with its row in
//!    `upfront.revisions`. Statements that cannot run in a transaction have a journal.
//!
//! All futures may be dropped at any `await`: the connection is closed, and PostgreSQL rolls back
//! and frees the lock.
//!
//! # Errors
//!
//! [`Error`] prints the whole message: what failed, where, why and what to do. Programs compare its
//! [kind](Error::kind) and read its fields. A service that exits with a different code for each
//! cause:
//!
//! ```
//! use upfront::{Error, ErrorKind};
//!
//! fn exit_code(err: &Error) -> u8 {
//!     match err.kind() {
//!         ErrorKind::Pending => {
//!             eprintln!("{} migrations are pending", err.pending().len());
//!             3
//!         }
//!         ErrorKind::Unreachable => 7,
//!         ErrorKind::MigrationFailed => {
//!             if let Some(place) = err.location() {
//!                 eprintln!("{}:{}:{}", place.file, place.line, place.column);
//!             }
//!             1
//!         }
//!         _ if err.is_diverged() => 4,
//!         _ => 1,
//!     }
//! }
//! ```
//!
//! # Where to look next
//!
//! - [`Migrator`]: [`up`](Migrator::up), [`check`](Migrator::check), [`wait`](Migrator::wait),
//!   [`status`](Migrator::status), [`plan_up`](Migrator::plan_up),
//!   [`plan_down`](Migrator::plan_down), [`down`](Migrator::down), [`apply`](Migrator::apply).
//! - [`Builder`]: optional settings, such as timeouts and roles.
//! - [`Migrations`]: a set of migrations, compiled in or read at run time.
//! - [`Plan`] and [`Report`]: what a call would do, and what it did. [`Status`]: the state of each
//!   migration.
//! - [`Event`]: progress. The same is logged by [`tracing`](https://docs.rs/tracing).
//! - [`Connector`]: connections that notice dead links and log notices.
//!
//! # Features
//!
//! None is on by default. Features only add API.
//!
//! | feature | adds |
//! |---|---|
//! | `admin` | `adopt`, `baseline`, `log`, `protect`, `release` and `resolve`, for operators |
//! | `cli` | the module `cli`: the verbs as clap commands for your own binary; includes `admin` |
//! | `derive` | `#[derive(Table)]` and `#[derive(PgEnum)]`: the desired schema as Rust structs |
//! | `chrono`, `jiff`, `rust_decimal`, `serde_json`, `time`, `uuid` | with `derive`: columns with types of those crates |
//! | `dev` | `Migrator::dev`: follows the migrations directory in debug builds |
//! | `rust-embed` | `Migrations::from_embed`: a folder that the program embeds by other means |
//! | `serde` | `Serialize` for reports, plans, states and events |

#[cfg(feature = "admin")]
mod admin;
#[cfg(feature = "admin")]
mod adopt;
mod builder;
#[cfg(feature = "cli")]
pub mod cli;
mod connection;
#[cfg(feature = "dev")]
mod dev;
mod embedded;
mod error;
mod event;
mod execute;
mod history;
mod migrations;
mod migrator;
mod plan;
mod report;
#[cfg(feature = "serde")]
mod serde_duration;
mod status;

#[cfg(feature = "admin")]
pub use admin::log::{LogEntry, Outcome};
#[cfg(feature = "admin")]
pub use admin::protect::{Protect, Released};
#[cfg(feature = "admin")]
pub use admin::resolve::Resolved;
#[cfg(feature = "admin")]
pub use adopt::report::AdoptReport;
pub use builder::Builder;
pub use connection::connector::Connector;
pub use error::{
    Error, Result,
    excerpt::Location,
    fields::{Divergence, ServerError},
    kind::ErrorKind,
};
pub use event::{Event, LockHolder};
#[cfg(feature = "admin")]
#[doc(hidden)]
pub use history::other_tools::history_tables;
pub use migrations::{Migration, Migrations};
pub use migrator::Migrator;
pub use plan::data_loss::DataLoss;
pub use plan::digest::{Digest, ParseDigestError};
pub use plan::foreign_history::ForeignHistory;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use plan::moment::Utc;
pub use plan::pending::{DivergenceKind, NewerDatabase};
pub use plan::protection::Protection;
#[cfg(feature = "admin")]
pub use plan::resolution::{Before, Resolution, Resolve, ResolvedChange};
pub use plan::rows::AppStatus;
pub use plan::target::{Direction, Target};
pub use plan::{Plan, PlanStep};
pub use report::{Applied, Report, RolledBack};
pub use status::{Down, DownObstacle, DownScript, Entry, Held, State, Status};
#[cfg(feature = "derive")]
pub use upfront_derive::{PgEnum, Table};
#[cfg(feature = "derive")]
pub use upfront_model as model;

/// The migrations that the crate's build script embedded.
///
/// ```ignore
/// // build.rs: upfront_build::embed("migrations");
/// let migrations = upfront::embedded!();
/// ```
///
/// A crate with several sets names the one it wants: `embedded!("billing")`.
///
/// The feature `dev` changes nothing here: only [`Migrator::dev`] reads the directory.
#[macro_export]
macro_rules! embedded {
    () => {
        $crate::embedded!("main")
    };
    ($name:literal) => {{
        #[allow(unused_imports)]
        use $crate::{__embedded_dev_v1, __embedded_v1};
        include!(env!(
            concat!("UPFRONT_EMBEDDED_", $name),
            concat!(
                "no set of migrations `",
                $name,
                "` is embedded: call `upfront_build::embed(\"migrations\")` in build.rs"
            )
        ))
    }};
}

/// What the generated file calls: a helper and a runtime out of step do not compile.
///
/// The directory's path does not get into the program.
#[cfg(not(all(feature = "dev", debug_assertions)))]
#[doc(hidden)]
#[macro_export]
macro_rules! __embedded_v1 {
    ($directory:literal, $text:expr) => {{
        static SET: $crate::__embedded::Embedded = $crate::__embedded::Embedded::new($text);
        $crate::Migrations::from_static(&SET)
    }};
}

/// What the generated file calls: a helper and a runtime out of step do not compile.
///
/// `Migrator::dev` needs the directory's path; all else uses the embedded migrations.
#[cfg(all(feature = "dev", debug_assertions))]
#[doc(hidden)]
#[macro_export]
macro_rules! __embedded_v1 {
    ($directory:literal, $text:expr) => {{
        static SET: $crate::__embedded::Embedded = $crate::__embedded::Embedded::new($text);
        static LIVE: $crate::__embedded::Live = $crate::__embedded::Live::for_dev($directory, &SET);
        $crate::Migrations::from_live(&LIVE)
    }};
}

/// What the generated file calls if the build script asked for `dev`: the program reads the
/// directory when it starts.
#[cfg(all(feature = "dev", debug_assertions))]
#[doc(hidden)]
#[macro_export]
macro_rules! __embedded_dev_v1 {
    ($directory:literal, $text:expr) => {{
        static SET: $crate::__embedded::Embedded = $crate::__embedded::Embedded::new($text);
        static LIVE: $crate::__embedded::Live = $crate::__embedded::Live::new($directory, &SET);
        $crate::Migrations::from_live(&LIVE)
    }};
}

/// What the generated file calls if the build script asked for `dev`.
#[cfg(not(all(feature = "dev", debug_assertions)))]
#[doc(hidden)]
#[macro_export]
macro_rules! __embedded_dev_v1 {
    ($directory:literal, $text:expr) => {
        compile_error!(
            "`upfront_build::Config::dev` needs the feature `dev` of upfront and debug assertions"
        )
    };
}

/// Compiles the examples in the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/builder.md")]
#[doc = include_str!("../docs/errors/README.md")]
mod documentation {}

#[doc(hidden)]
pub mod __embedded {
    pub use crate::embedded::decode::Embedded;
    #[cfg(feature = "dev")]
    pub use crate::migrations::watched::Live;
}
