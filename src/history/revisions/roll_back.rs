//! What a rollback writes.

use std::time::Duration;

use postgres_protocol::escape::escape_literal;

use super::{
    Revisions, exactly, fence, interval, quoted,
    record::{Sent, duration},
};
use crate::{
    connection::{answer::Answer, locked::Transaction, sql::PINNED},
    embedded::Migration,
    plan::{checksum, digest::Digest, rollback::RollbackStep},
};

/// What was agreed to of a rollback, and what the log says of it beside what every row says.
#[derive(Debug, Clone, Default)]
pub(crate) struct RollbackRecord {
    /// Whether data may be lost.
    pub(crate) accepted: bool,
    pub(crate) approval: Option<Digest>,
    pub(crate) lost: Option<String>,
    /// Whether the migration must not come back by itself.
    pub(crate) holds: bool,
}

impl Revisions {
    /// Takes a migration out of the history, behind a fence.
    pub(crate) fn roll_back(
        &self,
        undo: &RollbackStep,
        transaction: &Transaction,
        order: &RollbackRecord,
        sent: Sent,
    ) -> String {
        let Transaction { xid, login, role, .. } = transaction;
        let (login, role) = (escape_literal(login), escape_literal(role));
        let roles = format!(" AND SESSION_USER = {login} AND CURRENT_USER = {role}");
        let (trusted, took) = (self.trust.write_fence(), duration(sent));
        format!("{}{trusted}{}", fence(xid, &roles), self.take_out(undo.it, order, &took))
    }

    /// The same for one that ran statement by statement; its journal ends.
    pub(crate) fn roll_back_stepwise(
        &self,
        it: &Migration,
        order: &RollbackRecord,
        took: Duration,
    ) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(it.version);
        let out = self.take_out(it, order, &interval(took));
        format!(
            "SET LOCAL search_path TO pg_catalog, pg_temp;{out}DELETE FROM {schema}.steps WHERE \
             app = {app} AND version = {version}"
        )
    }

    pub(super) fn take_out(&self, it: &Migration, order: &RollbackRecord, took: &str) -> String {
        let Self { schema, app, host, release, .. } = self;
        let (version, name, hash) =
            (escape_literal(it.version), escape_literal(it.name), it.up.hash);
        let (approval, lost) =
            (quoted(order.approval.as_ref().map(Digest::as_str)), quoted(order.lost.as_deref()));
        let hold = self.hold(it, order);
        let revision =
            format!("DELETE FROM {schema}.revisions WHERE app = {app} AND version = {version}");
        let log = format!(
            "INSERT INTO {schema}.log (app, version, name, direction, outcome, hash, duration, \
             approval, lost, host, release) VALUES ({app}, {version}, {name}, 'down', 'reverted', \
             '{hash}', {took}, {approval}, {lost}, {host}, {release})"
        );
        format!("{hold}{}{}", exactly(1, &revision), exactly(1, &log))
    }

    /// A rollback outside a transaction begins: from now on the row is no applied migration to any
    /// program, and it holds what the rollback needs after a crash.
    pub(crate) fn begin_roll_back(&self, it: &Migration, order: &RollbackRecord) -> String {
        let (Self { schema, app, .. }, version) = (self, escape_literal(it.version));
        let (start, store, hold) = (checksum::START, self.store_down(it), self.hold(it, order));
        let (approval, lost) =
            (quoted(order.approval.as_ref().map(Digest::as_str)), quoted(order.lost.as_deref()));
        let accepted = order.accepted;
        let begun = format!(
            "UPDATE {schema}.revisions SET chain = '{start}', breaking = true, rollback_accepted = \
             {accepted}, rollback_approval = {approval}, rollback_lost = {lost} WHERE app = {app} AND \
             version = {version}"
        );
        format!("{store}{hold}SET LOCAL search_path TO pg_catalog, pg_temp;{}", exactly(1, &begun))
    }

    /// What was agreed to of the rollback that was begun, if one was.
    pub(crate) fn ordered(&self) -> String {
        let Self { schema, app, .. } = self;
        format!(
            "{PINNED}SELECT rollback_accepted AS upfront_ordered, rollback_approval, rollback_lost \
             FROM {schema}.revisions WHERE app = {app} AND rollback_accepted IS NOT NULL"
        )
    }
}

/// Reads the answer to [`Revisions::ordered`].
pub(crate) fn ordered(answer: &Answer) -> Option<RollbackRecord> {
    let row = answer.row("upfront_ordered")?;
    let text = |at: usize| row.get(at).map(str::to_owned);
    let accepted = row.get(0) == Some("t");
    let approval = row.get(1).and_then(|it| it.parse().ok());
    Some(RollbackRecord { accepted, approval, lost: text(2), holds: false })
}
