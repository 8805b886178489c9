//! Why a promise did not hold, or why the suite cannot continue.

/// A text for people.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The result type of the suite.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;
