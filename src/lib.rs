#![doc = include_str!("../README.md")]

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
pub use admin::log::LogEntry;
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
pub use migrations::Migrations;
pub use migrator::Migrator;
pub use plan::data_loss::DataLoss;
pub use plan::foreign_history::ForeignHistory;
pub use plan::pending::NewerDatabase;
pub use plan::protection::Protection;
#[cfg(feature = "admin")]
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

#[doc(hidden)]
pub mod __embedded {
    pub use crate::embedded::decode::Embedded;
    #[cfg(feature = "dev")]
    pub use crate::migrations::watched::Live;
}
