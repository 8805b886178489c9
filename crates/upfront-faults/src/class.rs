//! The names of the classes of faults.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A class of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) enum Class {
    Kill,
    Reset,
    Close,
    HalfOpen,
    Slow,
    Terminate,
    Cancel,
    Crash,
    RestartFast,
    RestartImmediate,
    FailoverSync,
    FailoverAsync,
    Scarce,
    Herd,
    Pooler,
    Race,
    Hostile,
}

/// What the report and the commands say of a class.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Description {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    /// How many of its points the short run takes.
    pub(crate) short: usize,
}

impl Class {
    /// All, in the order of the report.
    pub(crate) const ALL: [Self; 17] = [
        Self::Kill,
        Self::Reset,
        Self::Close,
        Self::HalfOpen,
        Self::Slow,
        Self::Terminate,
        Self::Cancel,
        Self::Crash,
        Self::RestartFast,
        Self::RestartImmediate,
        Self::FailoverSync,
        Self::FailoverAsync,
        Self::Scarce,
        Self::Herd,
        Self::Pooler,
        Self::Race,
        Self::Hostile,
    ];

    /// Its name, and what it does.
    pub(crate) fn description(self) -> Description {
        let (name, text, short) = match self {
            Self::Kill => (
                "kill",
                "SIGKILL of the migrator before and after each message of both directions",
                48,
            ),
            Self::Reset => (
                "reset",
                "RST of the connection at each message of both directions, and in the middle of it",
                48,
            ),
            Self::Close => (
                "close",
                "FIN of the connection at each message of both directions, and in the middle of it",
                36,
            ),
            Self::HalfOpen => (
                "half-open",
                "both directions swallowed before and after each message that the migrator sends",
                12,
            ),
            Self::Slow => ("slow", "fragments of one byte; 500 ms for each round trip", 8),
            Self::Terminate => (
                "terminate",
                "`pg_terminate_backend` before each statement that the server executes",
                36,
            ),
            Self::Cancel => {
                ("cancel", "`pg_cancel_backend` before each statement that the server executes", 36)
            }
            Self::Crash => ("crash", "`kill -9` of the server process before each statement", 12),
            Self::RestartFast => ("restart-fast", "a fast restart before each statement", 8),
            Self::RestartImmediate => {
                ("restart-immediate", "an immediate restart before each statement", 8)
            }
            Self::FailoverSync => (
                "failover-sync",
                "fail-over to a synchronous standby before each message that the migrator sends",
                4,
            ),
            Self::FailoverAsync => (
                "failover-async",
                "the same with a standby that has lost the commits of the last three messages",
                4,
            ),
            Self::Scarce => (
                "scarce",
                "a server that recovers, is read-only, or is out of connections, locks or disk",
                8,
            ),
            Self::Herd => (
                "herd",
                "2, 8, 64 and 256 processes: cold, warm, of two releases, with concurrent indexes, \
                 locks and snapshots of others, killed, rolling back",
                9,
            ),
            Self::Pooler => (
                "pooler",
                "8 processes through PgBouncer (sessions, transactions, statements) and Pgpool-II",
                8,
            ),
            Self::Race => ("race", "four boots and four rollbacks at once, some of them killed", 9),
            Self::Hostile => (
                "hostile",
                "bodies that leave their transaction or turn against upfront's tables, and roles \
                 that may create, insert or trigger",
                38,
            ),
        };
        Description { name, text, short }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description().name)
    }
}

impl From<Class> for String {
    fn from(it: Class) -> Self {
        it.to_string()
    }
}

impl TryFrom<String> for Class {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let class = Self::ALL.into_iter().find(|it| it.description().name == text);
        class.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(ToString::to_string).collect();
            format!("`{text}` is not a class; the classes are {}", names.join(", "))
        })
    }
}
