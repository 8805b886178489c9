//! What a migration finds set, whatever the role, the database and the file before it say: what
//! changes the meaning of its text, and its limits. The search path is theirs unless one is
//! configured; so are the order of day and month, the default tablespace and the like.

use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::{builder::Settings, connection::server_info::ServerInfo, embedded::Side};

/// Whose settings, and how long they last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettingScope {
    /// Until the transaction ends: passes through any pooler.
    Transaction,
    /// Until they are reset: for what runs outside a transaction.
    Session,
}

/// One statement for all settings, and one for the role.
pub(crate) fn prologue(
    settings: &Settings,
    facts: &ServerInfo,
    side: Option<&Side>,
    extent: SettingScope,
) -> String {
    let local = extent == SettingScope::Transaction;
    let mut calls: Vec<String> = pinned(facts)
        .into_iter()
        .chain(timeouts(settings, side))
        .chain(search_path(settings).map(|it| ("search_path", it)))
        .map(|(name, value)| set_config(name, &escape_literal(&value), local))
        .collect();
    calls.push(set_config("application_name", APPLICATION_NAME, local));
    calls.push(set_config("synchronous_commit", SYNCHRONOUS_COMMIT, local));
    // One column, as each would be described to us.
    format!("SELECT pg_catalog.concat({});{}", calls.join(","), role(settings, extent))
}

/// A session without a name of its own says what it does.
const APPLICATION_NAME: &str = "CASE pg_catalog.current_setting('application_name') WHEN '' THEN \
     'upfront' ELSE pg_catalog.current_setting('application_name') END";

/// A revision that the server promised must survive its crash.
const SYNCHRONOUS_COMMIT: &str = "CASE pg_catalog.current_setting('synchronous_commit') WHEN 'off' \
     THEN 'on' ELSE pg_catalog.current_setting('synchronous_commit') END";

pub(crate) fn set_config(name: &str, value: &str, local: bool) -> String {
    format!("pg_catalog.set_config('{name}',{value},{local})")
}

/// `SET ROLE`, where one is configured.
pub(crate) fn role(settings: &Settings, extent: SettingScope) -> String {
    let local = if extent == SettingScope::Transaction { "LOCAL " } else { "" };
    let role = settings.role.as_deref().map(escape_identifier);
    role.map_or_else(String::new, |it| format!("SET {local}ROLE {it};"))
}

/// Notes the schema that unqualified names are made in, for
/// [`Revisions::record`](crate::history::revisions::Revisions::record), which pins the search path.
pub(crate) fn target(settings: &Settings, extent: SettingScope) -> String {
    let path = search_path(settings).filter(|_| extent == SettingScope::Transaction);
    let path = path.map_or_else(String::new, |it| format!("SET LOCAL search_path TO {it};"));
    format!(
        "{path}SELECT pg_catalog.set_config('upfront.target', \
         COALESCE(pg_catalog.current_schema()::pg_catalog.text, ''), true);"
    )
}

/// Makes the rest of a transaction ours, whatever role the migration has set for the session.
pub(crate) fn own_role(settings: &Settings, facts: &ServerInfo) -> String {
    match settings.role {
        Some(_) => role(settings, SettingScope::Transaction),
        None if facts.role == facts.login => "SET LOCAL ROLE NONE;".to_owned(),
        None => format!("SET LOCAL ROLE {};", escape_identifier(&facts.role)),
    }
}

/// What changes the meaning of a migration, or keeps a dead session alive.
fn pinned(facts: &ServerInfo) -> Vec<(&'static str, String)> {
    let mut pinned = vec![
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("check_function_bodies", "on"),
        ("row_security", "off"),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO"),
        ("IntervalStyle", "postgres"),
        ("idle_in_transaction_session_timeout", "60s"),
    ];
    if facts.version >= 170_000 {
        pinned.push(("transaction_timeout", "0"));
    }
    pinned.extend(dead_link(facts));
    pinned.into_iter().map(|(name, it)| (name, it.to_owned())).collect()
}

/// What lets the server notice that nobody is at the other end of its connection any more, so that
/// it rolls back and frees the lock.
///
/// A program that died is noticed within two seconds. A link that swallows everything is noticed
/// when what was sent is not acknowledged for 20 s, or, while a statement runs and nothing is sent,
/// by probes that begin after 30 s. Through a pooler these settings concern the pooler's link, for
/// as long as our transaction, which holds the lock, is open.
pub(crate) fn dead_link(facts: &ServerInfo) -> Vec<(&'static str, &'static str)> {
    let mut settings = Vec::new();
    if facts.checks_connection {
        settings.extend([
            ("client_connection_check_interval", "2s"),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ]);
    }
    if facts.limits_acknowledgement {
        settings.push(("tcp_user_timeout", "20s"));
    }
    settings
}

/// A file's own limits, else the migrator's.
pub(crate) fn timeouts(settings: &Settings, side: Option<&Side>) -> [(&'static str, String); 2] {
    let lock = side
        .and_then(|it| it.lock_timeout_ms)
        .map_or(settings.lock_timeout, |it| Duration::from_millis(it.into()));
    let statement = side
        .and_then(|it| it.statement_timeout_ms)
        .map(|it| Duration::from_millis(it.into()))
        .or(settings.statement_timeout)
        .unwrap_or_default();
    let milliseconds = |it: Duration| it.as_millis().to_string();
    [("lock_timeout", milliseconds(lock)), ("statement_timeout", milliseconds(statement))]
}

/// The configured search path, as a value of the setting.
pub(crate) fn search_path(settings: &Settings) -> Option<String> {
    let schemas = settings.search_path.as_ref()?;
    Some(schemas.iter().map(|it| escape_identifier(it)).collect::<Vec<_>>().join(", "))
}
