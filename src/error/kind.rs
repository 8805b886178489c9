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

    /// All kinds, in the order of their declaration.
    #[cfg(feature = "cli")]
    pub const ALL: &[Self] = &[
        Self::Pending,
        Self::Edited,
        Self::Missing,
        Self::OutOfOrder,
        Self::Tampered,
        Self::NewerDatabase,
        Self::PartiallyApplied,
        Self::MigrationFailed,
        Self::TransactionEnded,
        Self::LockLost,
        Self::Timeout,
        Self::Unreachable,
        Self::ConnectionLost,
        Self::PermissionDenied,
        Self::Untrusted,
        Self::ReadOnly,
        Self::Pooler,
        Self::ForeignHistory,
        Self::AdoptionRefused,
        Self::DuplicateHistory,
        Self::SchemaReplaced,
        Self::InvalidTarget,
        Self::Irreversible,
        Self::DataLoss,
        Self::Protected,
        Self::StalePlan,
        Self::Held,
        Self::CopiedMark,
        Self::InvalidSetting,
        Self::InvalidMigrations,
        Self::UnsupportedServer,
        Self::Server,
        Self::UnexpectedAnswer,
    ];

    /// Returns the page about this kind: what happened, why, and what to do, in Markdown.
    ///
    /// `upfront explain KIND` prints it.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Pending => include_str!("../../docs/errors/pending.md"),
            Self::Edited => include_str!("../../docs/errors/edited.md"),
            Self::Missing => include_str!("../../docs/errors/missing.md"),
            Self::OutOfOrder => include_str!("../../docs/errors/out_of_order.md"),
            Self::Tampered => include_str!("../../docs/errors/tampered.md"),
            Self::NewerDatabase => include_str!("../../docs/errors/newer_database.md"),
            Self::PartiallyApplied => include_str!("../../docs/errors/partially_applied.md"),
            Self::MigrationFailed => include_str!("../../docs/errors/migration_failed.md"),
            Self::TransactionEnded => include_str!("../../docs/errors/transaction_ended.md"),
            Self::LockLost => include_str!("../../docs/errors/lock_lost.md"),
            Self::Timeout => include_str!("../../docs/errors/timeout.md"),
            Self::Unreachable => include_str!("../../docs/errors/unreachable.md"),
            Self::ConnectionLost => include_str!("../../docs/errors/connection_lost.md"),
            Self::PermissionDenied => include_str!("../../docs/errors/permission_denied.md"),
            Self::Untrusted => include_str!("../../docs/errors/untrusted.md"),
            Self::ReadOnly => include_str!("../../docs/errors/read_only.md"),
            Self::Pooler => include_str!("../../docs/errors/pooler.md"),
            Self::ForeignHistory => include_str!("../../docs/errors/foreign_history.md"),
            Self::AdoptionRefused => include_str!("../../docs/errors/adoption_refused.md"),
            Self::DuplicateHistory => include_str!("../../docs/errors/duplicate_history.md"),
            Self::SchemaReplaced => include_str!("../../docs/errors/schema_replaced.md"),
            Self::InvalidTarget => include_str!("../../docs/errors/invalid_target.md"),
            Self::Irreversible => include_str!("../../docs/errors/irreversible.md"),
            Self::DataLoss => include_str!("../../docs/errors/data_loss.md"),
            Self::Protected => include_str!("../../docs/errors/protected.md"),
            Self::StalePlan => include_str!("../../docs/errors/stale_plan.md"),
            Self::Held => include_str!("../../docs/errors/held.md"),
            Self::CopiedMark => include_str!("../../docs/errors/copied_mark.md"),
            Self::InvalidSetting => include_str!("../../docs/errors/invalid_setting.md"),
            Self::InvalidMigrations => include_str!("../../docs/errors/invalid_migrations.md"),
            Self::UnsupportedServer => include_str!("../../docs/errors/unsupported_server.md"),
            Self::Server => include_str!("../../docs/errors/server.md"),
            Self::UnexpectedAnswer => include_str!("../../docs/errors/unexpected_answer.md"),
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
