//! The values that prove a lock: each write asks for one.

use crate::plan::rows::Head;

/// A transaction that holds the lock: every write needs one.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// The body must not leave it.
    pub(crate) xid: String,
    pub(crate) login: String,
    pub(crate) role: String,
    /// The newest row, read under the lock.
    pub(crate) head: Head,
}

/// The session lock, and the server process that took it.
///
/// A body can release the lock, and a pooler can send the next statement to another process:
/// every write of the journal of a migration outside a transaction is compared with this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionLock {
    pub(crate) pid: i32,
    /// When the process began, in microseconds, as process ids come back; nothing where this role
    /// may not see it.
    pub(crate) since: Option<i64>,
}
