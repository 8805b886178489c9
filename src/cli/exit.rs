//! What an exit code says.

use std::process::ExitCode;

use crate::{Error, ErrorKind};

/// How a command ended. The numbers stay what they are; `2` is a mistake in the command line
/// itself, which clap reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// 0: done, or there was nothing to do.
    Done,
    /// 1: any other failure, such as a migration that failed.
    Failed,
    /// 3: something is pending (`check`, and `status --exit-code`).
    Pending,
    /// 4: the history in the database and the directory contradict each other.
    Diverged,
    /// 5: refused, and nothing was changed: a protected database without approval, a plan that is
    /// stale, a migration that is held or irreversible, an invalid target, another tool's
    /// history, a session that cannot write, a pooler where a session of its own is needed.
    Refused,
    /// 6: refused because data would be lost.
    DataLoss,
    /// 7: the database cannot be reached, or turned the connection away.
    Unreachable,
    /// 8: the directory of migrations or the settings have mistakes.
    Mistaken,
    /// 130: Ctrl-C (SIGINT); the message says what became of the migration that was running.
    Interrupted,
    /// 143: SIGTERM; the same.
    Terminated,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Pending => 3,
            Self::Diverged => 4,
            Self::Refused => 5,
            Self::DataLoss => 6,
            Self::Unreachable => 7,
            Self::Mistaken => 8,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// One word, as JSON has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::Diverged => "diverged",
            Self::Refused => "refused",
            Self::DataLoss => "data_loss",
            Self::Unreachable => "unreachable",
            Self::Mistaken => "mistaken",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// The sort of an error.
    #[doc(hidden)]
    #[must_use]
    pub fn of(err: &Error) -> Self {
        match err.kind() {
            ErrorKind::Pending => Self::Pending,
            ErrorKind::Edited
            | ErrorKind::Missing
            | ErrorKind::OutOfOrder
            | ErrorKind::Tampered
            | ErrorKind::NewerDatabase => Self::Diverged,
            ErrorKind::ForeignHistory
            | ErrorKind::ReadOnly
            | ErrorKind::Pooler
            | ErrorKind::Protected
            | ErrorKind::StalePlan
            | ErrorKind::Held
            | ErrorKind::AdoptionRefused
            | ErrorKind::CopiedMark
            | ErrorKind::InvalidTarget
            | ErrorKind::Irreversible => Self::Refused,
            ErrorKind::DataLoss => Self::DataLoss,
            ErrorKind::Unreachable => Self::Unreachable,
            ErrorKind::InvalidSetting | ErrorKind::InvalidMigrations => Self::Mistaken,
            // `wait` gave up: what is pending is still pending.
            ErrorKind::Timeout if !err.pending().is_empty() => Self::Pending,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(it: Exit) -> Self {
        it.code().into()
    }
}
