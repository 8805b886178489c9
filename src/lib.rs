#![doc = include_str!("../README.md")]

#[cfg(feature = "cli")]
mod adopt;
#[cfg(feature = "cli")]
mod adopted;
mod apply;
mod approval;
#[cfg(feature = "cli")]
mod atlas;
mod backoff;
mod boot;
mod chain;
#[cfg(feature = "cli")]
pub mod cli;
mod command;
mod connect;
mod decode;
#[cfg(feature = "dev")]
mod dev;
mod down;
mod duplicate_history;
mod embedded;
mod error;
mod event;
mod excerpt;
mod existing;
#[cfg(feature = "rust-embed")]
mod folder;
mod foreign;
#[cfg(feature = "dev")]
mod git;
mod index_build;
mod journal;
#[cfg(feature = "dev")]
mod live;
mod locate;
mod lock;
#[cfg(feature = "cli")]
mod log;
mod loss;
mod message;
mod migrator;
mod own;
#[cfg(any(feature = "cli", feature = "rust-embed", feature = "dev"))]
mod parsed;
#[cfg(feature = "cli")]
mod past;
mod plan;
mod planned;
mod prologue;
#[cfg(feature = "cli")]
mod protect;
mod protection;
#[cfg(feature = "cli")]
mod refusal;
mod refused;
mod report;
#[cfg(feature = "cli")]
mod resolution;
#[cfg(feature = "cli")]
mod resolve;
#[cfg(feature = "dev")]
mod restart;
mod revisions;
mod rollback;
#[cfg(feature = "serde")]
mod seconds;
mod secrets;
mod send;
mod session;
mod settings;
#[cfg(feature = "cli")]
mod sqlx;
mod status;
mod stepwise;
mod stored;
mod table_name;
mod target;
mod trust;
mod work;

#[cfg(feature = "cli")]
pub use adopted::Adopted;
pub use connect::Connector;
pub use embedded::Migrations;
pub use error::{Error, Result};
pub use event::{Event, Holder};
pub use foreign::ForeignHistory;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use foreign::history_tables;
#[cfg(feature = "cli")]
pub use log::LogEntry;
pub use loss::Loss;
pub use migrator::Migrator;
pub use plan::Ahead;
pub use planned::{Plan, PlannedStep};
#[cfg(feature = "cli")]
pub use protect::{Protect, Released};
pub use protection::Protection;
pub use report::{Applied, Report, RolledBack};
#[cfg(feature = "cli")]
pub use resolve::{Before, Resolution, Resolve, Resolved, ResolvedChange};
pub use settings::Builder;
pub use status::{
    AppStatus, DivergenceKind, Down, DownObstacle, DownScript, Entry, Held, State, Status,
};
pub use target::{Direction, Target};
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
    pub use crate::decode::Embedded;
    #[cfg(feature = "dev")]
    pub use crate::live::Live;
}

#[cfg(all(feature = "dev", not(debug_assertions)))]
const _: () = assert!(
    matches!(option_env!("UPFRONT_DEV_IN_RELEASE"), Some(it) if matches!(it.as_bytes(), b"1")),
    "upfront's feature `dev` is on in a build without debug assertions. With it, a program applies \
     whatever stands in its migrations directory when it starts, and rolls back what is not \
     committed: that must not reach production. Leave the feature out of release builds; where you \
     mean it, set UPFRONT_DEV_IN_RELEASE=1 while you build"
);
