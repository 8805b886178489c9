#![doc = include_str!("../README.md")]

#[cfg(feature = "cli")]
mod admin;
#[cfg(feature = "cli")]
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

#[cfg(feature = "cli")]
pub use admin::log::LogEntry;
#[cfg(feature = "cli")]
pub use admin::protect::{Protect, Released};
#[cfg(feature = "cli")]
pub use admin::resolve::Resolved;
#[cfg(feature = "cli")]
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
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use history::other_tools::history_tables;
pub use migrations::Migrations;
pub use migrator::Migrator;
pub use plan::data_loss::DataLoss;
pub use plan::foreign_history::ForeignHistory;
pub use plan::pending::NewerDatabase;
pub use plan::protection::Protection;
#[cfg(feature = "cli")]
pub use plan::resolution::{Before, Resolution, Resolve, ResolvedChange};
pub use plan::rows::AppStatus;
pub use plan::target::{Direction, Target};
pub use plan::{Plan, PlanStep};
pub use report::{Applied, Report, RolledBack};
pub use status::{DivergenceKind, Down, DownObstacle, DownScript, Entry, Held, State, Status};
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
/// With the feature `dev` the program reads the directory itself, whenever it needs the set.
#[macro_export]
macro_rules! embedded {
    () => {
        $crate::embedded!("main")
    };
    ($name:literal) => {{
        use $crate::__embedded_v1;
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
/// The directory's path goes no further: nothing of it is in the program.
#[cfg(not(feature = "dev"))]
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
/// The program reads the directory when it starts.
#[cfg(feature = "dev")]
#[doc(hidden)]
#[macro_export]
macro_rules! __embedded_v1 {
    ($directory:literal, $text:expr) => {{
        static SET: $crate::__embedded::Embedded = $crate::__embedded::Embedded::new($text);
        static LIVE: $crate::__embedded::Live = $crate::__embedded::Live::new($directory, &SET);
        $crate::Migrations::from_live(&LIVE)
    }};
}

#[doc(hidden)]
pub mod __embedded {
    pub use crate::embedded::decode::Embedded;
    #[cfg(feature = "dev")]
    pub use crate::migrations::watched::Live;
}

#[cfg(all(feature = "dev", not(debug_assertions)))]
const _: () = assert!(
    matches!(option_env!("UPFRONT_DEV_IN_RELEASE"), Some(it) if matches!(it.as_bytes(), b"1")),
    "upfront's feature `dev` is on in a build without debug assertions. With it, a program applies \
     whatever stands in its migrations directory when it starts, and rolls back what is not \
     committed: that must not reach production. Leave the feature out of release builds; where you \
     mean it, set UPFRONT_DEV_IN_RELEASE=1 while you build"
);
