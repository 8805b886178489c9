//! What an error carries beside its text.

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use crate::{
    error::{
        Cause, Details, Error, Failure, LockLost, Partial, excerpt::Location, kind::ErrorKind,
        rejection::Rejection,
    },
    event::LockHolder,
    plan::pending::{self, DivergenceKind},
};

/// One way in which the history differs from the program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Divergence {
    /// In which way.
    pub kind: DivergenceKind,
    /// The migration's version.
    pub version: String,
    /// The migration's name.
    pub name: String,
}

/// What the server reported, without the secrets of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ServerError {
    /// The SQLSTATE: five characters.
    pub sqlstate: String,
    /// The message.
    pub message: String,
    /// The detail, if there is one.
    pub detail: Option<String>,
    /// The hint, if there is one.
    pub hint: Option<String>,
    /// The character of the statement at which the server stopped, from one.
    pub position: Option<u32>,
}

impl Error {
    /// The version of the migration that the error is about, if it is about one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        let migration = match self.details() {
            Details::ConnectionLost { migration, .. }
            | Details::Meddled { migration, .. }
            | Details::Pooler { migration, .. }
            | Details::Escaped { migration, .. }
            | Details::Failed(Failure { migration, .. })
            | Details::Partial(Partial { migration, .. })
            | Details::LockLost(LockLost { migration, .. }) => migration,
            Details::PartlyAhead { found } => return found.first().map(|it| it.0.version.as_str()),
            Details::Diverged { found, .. } => {
                return found.first().map(pending::Divergence::version);
            }
            _ => return None,
        };
        Some(&migration.version)
    }

    /// Where in a migration's file it happened.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        let excerpt = match self.details() {
            Details::Failed(it) => &it.excerpt,
            Details::Partial(it) => &it.excerpt,
            Details::LockLost(it) => it.excerpt.as_ref()?,
            _ => return None,
        };
        Some(excerpt.location())
    }

    /// The migrations that are still to be applied, as `VERSION_NAME`; of
    /// [`Pending`](ErrorKind::Pending) and [`Timeout`](ErrorKind::Timeout).
    #[must_use]
    pub fn pending(&self) -> &[String] {
        match self.details() {
            Details::Pending { migrations, .. } => migrations,
            Details::NotYet { pending, .. } => pending,
            _ => &[],
        }
    }

    /// All ways in which the history differs from the program.
    #[must_use]
    pub fn divergences(&self) -> Vec<Divergence> {
        let Details::Diverged { found, .. } = self.details() else { return Vec::new() };
        let divergence = |it: &pending::Divergence| Divergence {
            kind: it.kind(),
            version: it.version().to_owned(),
            name: it.name().to_owned(),
        };
        found.iter().map(divergence).collect()
    }

    /// Who holds the lock for which the call waited, if this role may see that.
    #[must_use]
    pub fn lock_holder(&self) -> Option<&LockHolder> {
        match self.details() {
            Details::Wait { holder, .. } | Details::NotYet { holder, .. } => holder.as_ref(),
            _ => None,
        }
    }

    /// What the server reported, if the server was the cause.
    #[must_use]
    pub fn server_error(&self) -> Option<ServerError> {
        match self.details() {
            Details::Failed(it) => Some(ServerError::of_cause(&it.cause)),
            Details::Server { source, .. }
            | Details::ConnectionLost { source, .. }
            | Details::Connect(PoolError::Backend(source)) => {
                source.as_db_error().map(ServerError::of)
            }
            Details::Denied { message, .. } => Some(ServerError {
                sqlstate: SqlState::INSUFFICIENT_PRIVILEGE.code().to_owned(),
                message: message.clone(),
                detail: None,
                hint: None,
                position: None,
            }),
            _ => None,
        }
    }
}

impl ServerError {
    fn of(err: &DbError) -> Self {
        let shown = |it: &str| upfront_redact::redact_message(it).into_owned();
        let position = err.position().and_then(|it| match it {
            ErrorPosition::Original(at) => Some(*at),
            ErrorPosition::Internal { .. } => None,
        });
        Self {
            sqlstate: err.code().code().to_owned(),
            message: shown(err.message()),
            detail: err.detail().map(shown),
            hint: err.hint().map(shown),
            position,
        }
    }

    fn of_cause(it: &Cause) -> Self {
        Self {
            sqlstate: it.code.code().to_owned(),
            message: it.message.clone(),
            detail: it.detail.clone(),
            hint: it.hint.clone(),
            position: it.position,
        }
    }
}

impl Details {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } => ErrorKind::InvalidSetting,
            #[cfg(any(feature = "rust-embed", feature = "dev"))]
            Self::Misread(_) => ErrorKind::InvalidMigrations,
            Self::Connect(_) | Self::Unreachable { .. } => ErrorKind::Unreachable,
            Self::Wait { .. }
            | Self::NotYet { .. }
            | Self::Exhausted { .. }
            | Self::Silent { .. } => ErrorKind::Timeout,
            Self::Server { .. } => ErrorKind::Server,
            Self::ConnectionLost { .. } => ErrorKind::ConnectionLost,
            Self::Unexpected { .. } => ErrorKind::UnexpectedAnswer,
            Self::OldServer { .. } => ErrorKind::UnsupportedServer,
            Self::Pending { .. } => ErrorKind::Pending,
            Self::PartlyAhead { .. } | Self::Partial(_) => ErrorKind::PartiallyApplied,
            Self::Diverged { found, .. } => {
                found.first().map_or(ErrorKind::Tampered, |it| it.kind().into())
            }
            Self::Foreign { .. } => ErrorKind::ForeignHistory,
            Self::ReadOnly { .. } => ErrorKind::ReadOnly,
            Self::Untrusted { .. } | Self::Meddled { .. } => ErrorKind::Untrusted,
            Self::Denied { .. } => ErrorKind::PermissionDenied,
            Self::Pooler { .. } => ErrorKind::Pooler,
            Self::Failed(_) => ErrorKind::MigrationFailed,
            Self::Escaped { .. } => ErrorKind::TransactionEnded,
            Self::LockLost(_) => ErrorKind::LockLost,
            Self::Rejection(it) => it.kind(),
            #[cfg(feature = "admin")]
            Self::Adopt(it) if it.is_read_only() => ErrorKind::ReadOnly,
            #[cfg(feature = "admin")]
            Self::Adopt(_) => ErrorKind::AdoptionRefused,
        }
    }
}

impl Rejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::HalfApplied { .. } => ErrorKind::PartiallyApplied,
            Self::Target(_) | Self::NotInProgram { .. } => ErrorKind::InvalidTarget,
            Self::Irreversible { .. } => ErrorKind::Irreversible,
            Self::DownAltered { .. } => ErrorKind::Tampered,
            Self::DataLoss { .. } => ErrorKind::DataLoss,
            Self::Protected { .. } => ErrorKind::Protected,
            Self::Stale(_) => ErrorKind::StalePlan,
            Self::Held { .. } => ErrorKind::Held,
            Self::SchemaReplaced { .. } => ErrorKind::SchemaReplaced,
            Self::DuplicateHistory { .. } => ErrorKind::DuplicateHistory,
            #[cfg(feature = "admin")]
            Self::NotHeld { .. } | Self::Resolve(_) => ErrorKind::InvalidTarget,
            #[cfg(feature = "admin")]
            Self::Copied { .. } => ErrorKind::CopiedMark,
        }
    }
}

impl From<DivergenceKind> for ErrorKind {
    fn from(it: DivergenceKind) -> Self {
        match it {
            DivergenceKind::Edited | DivergenceKind::Renamed => Self::Edited,
            DivergenceKind::Missing => Self::Missing,
            DivergenceKind::OutOfOrder => Self::OutOfOrder,
            DivergenceKind::RowDeleted | DivergenceKind::RowChanged => Self::Tampered,
            DivergenceKind::Ahead => Self::NewerDatabase,
        }
    }
}
