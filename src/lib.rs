#![doc = include_str!("../README.md")]

#[cfg(feature = "cli")]
mod adopt;
#[cfg(feature = "cli")]
mod adopted;
mod apply;
#[cfg(feature = "cli")]
mod atlas;
mod backoff;
mod boot;
mod chain;
mod down;
mod embedded;
mod error;
mod event;
mod excerpt;
#[cfg(feature = "rust-embed")]
mod folder;
mod foreign;
mod lock;
mod loss;
mod message;
mod migrator;
mod own;
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
mod revisions;
mod rollback;
mod session;
mod settings;
#[cfg(feature = "cli")]
mod sqlx;
mod status;
mod stepwise;
mod stored;
mod target;
mod work;

#[cfg(feature = "cli")]
pub use adopted::Adopted;
pub use embedded::Migrations;
pub use error::{Error, Result};
pub use event::{Event, Holder};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use foreign::history_tables;
pub use loss::Loss;
pub use migrator::Migrator;
pub use plan::Ahead;
pub use planned::{Plan, PlannedStep};
#[cfg(feature = "cli")]
pub use protect::{Protect, Protection, Released};
pub use report::{Applied, Report, RolledBack};
pub use settings::Builder;
pub use status::{Entry, State, Status};
pub use target::{Direction, Target};

/// The migrations that the crate's build script embedded.
///
/// ```ignore
/// // build.rs: upfront_build::embed("migrations");
/// let migrations = upfront::embedded!();
/// ```
///
/// A crate with several sets names the one it wants: `embedded!("billing")`.
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
#[doc(hidden)]
#[macro_export]
macro_rules! __embedded_v1 {
    ($set:expr) => {{
        #[allow(unused_imports)]
        use $crate::__embedded::v1::*;
        static SET: Set = $set;
        $crate::Migrations::from_static(&SET)
    }};
}

#[doc(hidden)]
pub mod __embedded {
    pub use crate::embedded::v1;
}
