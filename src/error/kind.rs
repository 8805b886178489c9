//! The kinds of errors, for programs that react to them.

use std::fmt;

/// The kind of an [`Error`](crate::Error), for programs that react to it.
///
/// ```
/// use upfront::{Error, ErrorKind};
///
/// fn exit_code(err: &Error) -> u8 {
///     match err.kind() {
///         ErrorKind::Pending => 3,
///         ErrorKind::Unreachable => 7,
///         _ if err.is_diverged() => 4,
///         _ => 1,
///     }
/// }
/// ```
///
/// It prints as one word, such as `lock_lost`, which `docs/errors/` explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ErrorKind {
    /// Migrations are still to be applied; see [`pending`](crate::Error::pending).
    Pending,
    /// A migration's file was edited or renamed after it was applied.
    Edited,
    /// A migration was applied, and this program lacks it although it has newer ones.
    Missing,
    /// A migration was added below the newest that the database has.
    OutOfOrder,
    /// A row of the history was changed or deleted by hand.
    Tampered,
    /// The database is newer than this program, and the program must not run on it.
    NewerDatabase,
    /// A migration outside a transaction was interrupted, and the outcome of its statement is
    /// unknown; or the database has a part of a migration that this program does not have.
    PartiallyApplied,
    /// A statement of a migration failed; see [`server_error`](crate::Error::server_error).
    MigrationFailed,
    /// A migration ended its own transaction: part of it may be committed, and none is recorded.
    TransactionEnded,
    /// The session lost the migration lock while a migration outside a transaction ran.
    LockLost,
    /// The migration lock, a lock on upfront's own tables, or a connection was not free in time.
    Timeout,
    /// The database could not be reached, or refused the connection.
    Unreachable,
    /// The connection was lost while a migration ran.
    ConnectionLost,
    /// The role lacks a right; the text has the exact `GRANT`s.
    PermissionDenied,
    /// Upfront's own tables belong to a role that is not trusted, or carry foreign code.
    Untrusted,
    /// Migrations are pending, and the session cannot write: a standby, or a read-only setting.
    ReadOnly,
    /// A migration that runs outside a transaction met a connection pooler.
    Pooler,
    /// The database has another tool's history and none of upfront's.
    ForeignHistory,
    /// A history cannot be adopted, or a baseline cannot be set.
    AdoptionRefused,
    /// The app has no history here, but the same migrations were applied under another app, or with
    /// upfront's tables in another schema.
    DuplicateHistory,
    /// A schema was dropped after migrations were applied to it.
    SchemaReplaced,
    /// The target of a rollback, or a version, is unknown or does not fit.
    InvalidTarget,
    /// A migration cannot be rolled back, as it has no down script.
    Irreversible,
    /// A rollback would delete data, and that was not [accepted](crate::Plan::accept_data_loss).
    DataLoss,
    /// The database is protected, and the plan lacks its [approval](crate::Plan::approve).
    Protected,
    /// The database has changed since the plan was made, or the approval is another plan's.
    StalePlan,
    /// A pending migration was rolled back and is held.
    Held,
    /// The mark of a protected database was set on another one, of which this is a copy.
    CopiedMark,
    /// A setting of the builder is invalid.
    InvalidSetting,
    /// Migrations that are read at run time have mistakes, or the set is empty.
    InvalidMigrations,
    /// The server's version is not supported.
    UnsupportedServer,
    /// The server reported an error outside of a migration.
    Server,
    /// The server's answer was not understood.
    UnexpectedAnswer,
}

impl ErrorKind {
    /// One word in `snake_case`, as `Display` and JSON have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Edited => "edited",
            Self::Missing => "missing",
            Self::OutOfOrder => "out_of_order",
            Self::Tampered => "tampered",
            Self::NewerDatabase => "newer_database",
            Self::PartiallyApplied => "partially_applied",
            Self::MigrationFailed => "migration_failed",
            Self::TransactionEnded => "transaction_ended",
            Self::LockLost => "lock_lost",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::ConnectionLost => "connection_lost",
            Self::PermissionDenied => "permission_denied",
            Self::Untrusted => "untrusted",
            Self::ReadOnly => "read_only",
            Self::Pooler => "pooler",
            Self::ForeignHistory => "foreign_history",
            Self::AdoptionRefused => "adoption_refused",
            Self::DuplicateHistory => "duplicate_history",
            Self::SchemaReplaced => "schema_replaced",
            Self::InvalidTarget => "invalid_target",
            Self::Irreversible => "irreversible",
            Self::DataLoss => "data_loss",
            Self::Protected => "protected",
            Self::StalePlan => "stale_plan",
            Self::Held => "held",
            Self::CopiedMark => "copied_mark",
            Self::InvalidSetting => "invalid_setting",
            Self::InvalidMigrations => "invalid_migrations",
            Self::UnsupportedServer => "unsupported_server",
            Self::Server => "server",
            Self::UnexpectedAnswer => "unexpected_answer",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
