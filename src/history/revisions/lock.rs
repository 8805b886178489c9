//! The migration lock, and who has it.

use super::Revisions;
use crate::connection::{locked::SessionLock, sql::PINNED};

/// A text that the server's error carries when the session's statements go to another server process
/// than the one that took the lock; then the new process id.
pub(crate) const OTHER_BACKEND: &str = "upfront: another server process";

/// The same when the session lock was released.
pub(crate) const RELEASED: &str = "upfront: the session lock is gone";

/// This session, as the server's statistics have it.
pub(super) const BACKEND: &str = "pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a";

/// When it began, in microseconds; nothing where the role may not see it.
pub(super) const SINCE: &str = "(pg_catalog.date_part('epoch', a.backend_start) OPERATOR(pg_catalog.*) \
                     1000000)::pg_catalog.int8";

impl Revisions {
    /// Asks for the lock without waiting, and once it is there for the head and for what the
    /// fence compares afterwards.
    pub(crate) fn try_lock(&self) -> String {
        let key = self.key;
        format!(
            "SELECT it.locked AS upfront_locked, CASE WHEN it.locked THEN \
             pg_catalog.pg_current_xact_id()::pg_catalog.text END, SESSION_USER, CURRENT_USER \
             FROM (SELECT pg_catalog.pg_try_advisory_xact_lock({key}) AS locked OFFSET 0) it;"
        )
    }

    /// The newest row; its chain holds all rows before it.
    pub(crate) fn head(&self) -> String {
        let Self { schema, app, .. } = self;
        format!(
            "SELECT version AS upfront_head, chain FROM {schema}.revisions WHERE app \
             OPERATOR(pg_catalog.=) {app} ORDER BY version DESC LIMIT 1;"
        )
    }

    /// The session lock, for what runs outside a transaction, and the server process that has it.
    pub(crate) fn try_session_lock(&self) -> String {
        format!(
            "SELECT pg_catalog.pg_try_advisory_lock({}) AS upfront_locked, \
             pg_catalog.pg_backend_pid(), (SELECT {SINCE} FROM {BACKEND})",
            self.key
        )
    }

    /// Fails, with a text of ours, unless this is the process that took the session lock, and still
    /// has it; then takes the transaction's lock besides, so that no other process writes the
    /// journal before this transaction ends, whatever a body releases. Needs no search path.
    ///
    /// The server shows both locks as one, so it is looked at before the second is taken.
    pub(crate) fn lock_fence(&self, lock: &SessionLock) -> String {
        let (key, pid) = (self.key, lock.pid);
        let since = lock.since.map_or_else(String::new, |it| {
            format!(" OR EXISTS (SELECT FROM {BACKEND} WHERE {SINCE} OPERATOR(pg_catalog.<>) {it})")
        });
        // An error that the planner cannot foresee.
        let fail = |why: &str| {
            format!(
                "('{why} ' OPERATOR(pg_catalog.||) pg_catalog.pg_backend_pid()::pg_catalog.text)::pg_catalog.int4"
            )
        };
        let (moved, released) = (fail(OTHER_BACKEND), fail(RELEASED));
        format!(
            "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) {pid}{since} THEN \
             {moved} WHEN NOT EXISTS ({}) THEN {released} WHEN NOT \
             pg_catalog.pg_try_advisory_xact_lock({key}) THEN {released} ELSE 0 END;",
            self.held_here()
        )
    }

    /// A row where this session has the lock.
    pub(super) fn held_here(&self) -> String {
        let key = self.key.cast_unsigned();
        let (class, object) = (key >> 32, key & 0xffff_ffff);
        format!(
            "SELECT FROM pg_catalog.pg_lock_status() l WHERE l.locktype OPERATOR(pg_catalog.=) \
             'advisory' AND l.granted AND l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock' AND l.pid \
             OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.objsubid \
             OPERATOR(pg_catalog.=) 1 AND l.classid OPERATOR(pg_catalog.=) \
             '{class}'::pg_catalog.oid AND l.objid OPERATOR(pg_catalog.=) \
             '{object}'::pg_catalog.oid"
        )
    }

    /// Asks for the lock and gives it back.
    pub(crate) fn probe_lock(&self) -> String {
        format!("SELECT pg_catalog.pg_try_advisory_xact_lock({}) AS upfront_locked", self.key)
    }

    /// Who holds the lock.
    pub(crate) fn holder(&self) -> String {
        holder(self.key)
    }

    /// Lets go of the session lock, if it is still there: the server warns otherwise.
    pub(crate) fn unlock_session(&self) -> String {
        let (key, held) = (self.key, self.held_here());
        format!("SELECT CASE WHEN EXISTS ({held}) THEN pg_catalog.pg_advisory_unlock({key}) END")
    }
}

/// Who holds an advisory lock. The views over these functions take twice the time.
pub(crate) fn holder(key: i64) -> String {
    format!(
        "{PINNED}SELECT a.pid AS upfront_pid, coalesce(a.application_name, ''), \
         host(a.client_addr), extract(epoch FROM clock_timestamp() - a.query_start) FROM \
         pg_lock_status() l JOIN pg_stat_get_activity(l.pid) a ON true WHERE \
         l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> \
         pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = \
         current_database()) AND ((l.classid::bigint << 32) | l.objid::bigint) = {key} LIMIT 1"
    )
}
