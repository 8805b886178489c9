//! What a session knows of its server.

/// What a session found out about its server.
#[derive(Debug)]
pub(crate) struct ServerInfo {
    /// Something stands between us and the server.
    pub(crate) pooled: bool,
    pub(crate) version: u32,
    pub(crate) writes: WriteAccess,
    pub(crate) database: String,
    pub(crate) login: String,
    /// What role or database set for the login, else the login itself.
    pub(crate) role: String,
    /// The database's encoding.
    pub(crate) encoding: String,
    /// The server notices by itself that its client is gone.
    pub(crate) checks_connection: bool,
    /// The server's system can close a connection on which nothing is acknowledged. On others the
    /// server writes to its log that it cannot.
    pub(crate) limits_acknowledgement: bool,
}

/// Whether a session may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteAccess {
    Allowed,
    /// Role, database or session say that it may not.
    ReadOnly,
    /// The server replays another's writes.
    Standby,
}
