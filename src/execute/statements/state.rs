//! What the catalog shows of a statement that started: did it take effect?

use postgres_protocol::escape::escape_literal;
use tokio_postgres::SimpleQueryRow;

use super::Run;
use crate::{Result, connection::sql::PINNED, embedded::Class};

/// Whether a statement took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StatementState {
    /// It took effect.
    Done,
    /// It did not; these statements come before it is run.
    NotDone { first: Vec<String> },
    /// It did in part, and this statement ends it.
    Half { rest: String },
    /// Another session runs it now.
    UnderWay,
    /// The catalog does not know.
    CannotTell,
}

/// What the catalog shows of the object that a statement creates, drops or changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CatalogFacts {
    /// The object does not exist.
    Absent,
    /// The object exists, and is complete.
    Present,
    /// The index is invalid; with the statement that drops it.
    Invalid { drop: Option<String>, is_building: bool },
    /// A partition whose detachment is to be finished.
    DetachPending,
    /// What an interrupted `REINDEX` left; with the statements that drop it.
    Leftovers(Vec<String>),
    /// There is nothing to look for.
    Nothing,
}

/// Decides from the catalog alone whether a statement of this class took effect.
pub(super) fn state(class: Class, facts: CatalogFacts) -> StatementState {
    use StatementState::{CannotTell, Done, Half, NotDone, UnderWay};
    match (class, facts) {
        (Class::CreateIndex { index: None, .. } | Class::Unknown, _) => CannotTell,
        (_, CatalogFacts::Leftovers(first)) => NotDone { first },
        (_, CatalogFacts::Invalid { is_building: true, .. }) => UnderWay,
        (_, CatalogFacts::Invalid { drop, .. }) => NotDone { first: drop.into_iter().collect() },
        (Class::DetachPartition { parent, partition }, CatalogFacts::DetachPending) => {
            Half { rest: format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE") }
        }
        (Class::CreateIndex { .. } | Class::CreateDatabase { .. }, CatalogFacts::Present)
        | (
            Class::DropIndex { .. } | Class::DropDatabase { .. } | Class::DetachPartition { .. },
            CatalogFacts::Absent,
        ) => Done,
        _ => NotDone { first: Vec::new() },
    }
}

const ASKING: &str = "asking the catalog what a statement did";

impl Run<'_> {
    /// Asks the catalog what became of a statement.
    pub(super) async fn find(&self, class: Class) -> Result<StatementState> {
        Ok(state(class, self.facts(class).await?))
    }

    async fn facts(&self, class: Class) -> Result<CatalogFacts> {
        match class {
            Class::CreateIndex { index: Some(index), table, .. } => self.index(index, table).await,
            Class::DropIndex { index, .. } => Ok(present(self.oid(index).await?.is_some())),
            Class::ReindexIndex { index: relation } | Class::ReindexTable { table: relation } => {
                self.leftovers(relation).await
            }
            Class::DetachPartition { parent, partition } => self.partition(parent, partition).await,
            Class::CreateDatabase { name } | Class::DropDatabase { name } => {
                self.database(name).await
            }
            Class::CreateIndex { index: None, .. }
            | Class::Repeatable
            | Class::Session
            | Class::Transactional
            | Class::Unknown => Ok(CatalogFacts::Nothing),
        }
    }

    /// A name as the migration wrote it, seen as the migration sees it.
    pub(super) async fn oid(&self, name: &str) -> Result<Option<String>> {
        let sql = format!(
            "SELECT pg_catalog.to_regclass({})::pg_catalog.oid AS upfront_oid",
            escape_literal(name)
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        Ok(answer.row("upfront_oid").and_then(|it| it.get(0)).map(str::to_owned))
    }

    async fn index(&self, index: &str, table: &str) -> Result<CatalogFacts> {
        let Some(table) = self.oid(table).await? else { return Ok(CatalogFacts::Absent) };
        let sql = format!(
            "{PINNED}SELECT i.indisvalid AND i.indisready AS upfront_valid, format('DROP INDEX \
             CONCURRENTLY %I.%I', n.nspname, c.relname), EXISTS (SELECT FROM \
             pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid AND p.pid <> \
             pg_backend_pid()) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN \
             pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = {table} AND c.relname = {}",
            escape_literal(index)
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        let Some(row) = answer.row("upfront_valid") else { return Ok(CatalogFacts::Absent) };
        let (drop, is_building) = (row.get(1).map(str::to_owned), row.get(2) == Some("t"));
        Ok(match row.get(0) {
            Some("t") => CatalogFacts::Present,
            _ => CatalogFacts::Invalid { drop, is_building },
        })
    }

    /// What an interrupted `REINDEX CONCURRENTLY` leaves on the table of this relation, on its
    /// partitions and on their TOAST tables.
    ///
    /// A role that cannot read `pg_toast` cannot drop what is left there, and it does no harm.
    async fn leftovers(&self, relation: &str) -> Result<CatalogFacts> {
        let Some(oid) = self.oid(relation).await? else { return Ok(CatalogFacts::Absent) };
        let sql = format!(
            "{PINNED}WITH it AS (SELECT coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = \
             {oid}), {oid}) AS oid), tables AS (SELECT oid FROM it UNION SELECT p.relid FROM it, \
             pg_partition_tree(it.oid) p) SELECT format('DROP INDEX CONCURRENTLY %I.%I', \
             n.nspname, c.relname) AS upfront_drop FROM tables JOIN pg_class t ON t.oid = \
             tables.oid JOIN pg_index i ON i.indrelid IN (t.oid, t.reltoastrelid) JOIN pg_class c \
             ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT \
             i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND has_schema_privilege(n.oid, \
             'USAGE') ORDER BY 1"
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        let drop = |it: &SimpleQueryRow| {
            (it.columns().first()?.name() == "upfront_drop")
                .then(|| it.get(0).map(str::to_owned))?
        };
        Ok(CatalogFacts::Leftovers(answer.rows.iter().filter_map(drop).collect()))
    }

    async fn partition(&self, parent: &str, partition: &str) -> Result<CatalogFacts> {
        let (Some(above), Some(below)) = (self.oid(parent).await?, self.oid(partition).await?)
        else {
            return Ok(CatalogFacts::Nothing);
        };
        let sql = format!(
            "{PINNED}SELECT inhdetachpending AS upfront_pending FROM pg_inherits WHERE inhparent = \
             {above} AND inhrelid = {below}"
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        Ok(match answer.row("upfront_pending").and_then(|it| it.get(0)) {
            None => CatalogFacts::Absent,
            Some("t") => CatalogFacts::DetachPending,
            Some(_) => CatalogFacts::Present,
        })
    }

    async fn database(&self, name: &str) -> Result<CatalogFacts> {
        let name = escape_literal(name);
        let sql = format!(
            "{PINNED}SELECT EXISTS (SELECT FROM pg_database WHERE datname = {name}) AS upfront_there"
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        Ok(present(answer.row("upfront_there").and_then(|it| it.get(0)) == Some("t")))
    }
}

fn present(exists: bool) -> CatalogFacts {
    if exists { CatalogFacts::Present } else { CatalogFacts::Absent }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: Class = Class::CreateIndex { index: Some("i"), table: "t", if_not_exists: false };
    const DROP_INDEX: Class = Class::DropIndex { index: "i", if_exists: false };
    const DETACH: Class = Class::DetachPartition { parent: "t", partition: "p" };
    const CREATE_DATABASE: Class = Class::CreateDatabase { name: "d" };
    const DROP_DATABASE: Class = Class::DropDatabase { name: "d" };

    fn not_done(first: &[&str]) -> StatementState {
        StatementState::NotDone { first: first.iter().map(|it| (*it).to_owned()).collect() }
    }

    fn invalid(is_building: bool) -> CatalogFacts {
        CatalogFacts::Invalid { drop: Some("DROP INDEX i".into()), is_building }
    }

    #[test]
    fn what_creates_is_done_if_the_object_is_complete() {
        for class in [INDEX, CREATE_DATABASE] {
            assert_eq!(state(class, CatalogFacts::Present), StatementState::Done);
            assert_eq!(state(class, CatalogFacts::Absent), not_done(&[]));
        }
        assert_eq!(state(INDEX, invalid(false)), not_done(&["DROP INDEX i"]));
        assert_eq!(state(INDEX, invalid(true)), StatementState::UnderWay);
    }

    #[test]
    fn what_drops_is_done_if_the_object_is_gone() {
        for class in [DROP_INDEX, DROP_DATABASE, DETACH] {
            assert_eq!(state(class, CatalogFacts::Absent), StatementState::Done);
            assert_eq!(state(class, CatalogFacts::Present), not_done(&[]));
        }
        assert_eq!(state(DETACH, CatalogFacts::Nothing), not_done(&[]), "a table is missing");
    }

    #[test]
    fn a_detachment_may_be_half_done() {
        let rest = "ALTER TABLE t DETACH PARTITION p FINALIZE".to_owned();
        assert_eq!(state(DETACH, CatalogFacts::DetachPending), StatementState::Half { rest });
    }

    #[test]
    fn a_reindex_runs_again_once_its_leftovers_are_dropped() {
        let leftovers = CatalogFacts::Leftovers(vec!["DROP INDEX i_ccnew".into()]);
        let class = Class::ReindexIndex { index: "i" };
        assert_eq!(state(class, leftovers), not_done(&["DROP INDEX i_ccnew"]));
        assert_eq!(state(class, CatalogFacts::Absent), not_done(&[]));
    }

    #[test]
    fn nobody_knows_what_a_call_did() {
        let unnamed = Class::CreateIndex { index: None, table: "t", if_not_exists: false };
        for class in [Class::Unknown, unnamed] {
            assert_eq!(state(class, CatalogFacts::Nothing), StatementState::CannotTell);
        }
        for class in [Class::Repeatable, Class::Session, Class::Transactional] {
            assert_eq!(state(class, CatalogFacts::Nothing), not_done(&[]));
        }
    }
}
