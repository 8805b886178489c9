//! What all queries of the catalog share.

use postgres::Transaction;

use crate::error::{Error, Result};

/// With an empty search path every text of the server names schemas; the other settings are those
/// on which such texts depend.
const SETTINGS: &str = "SET LOCAL search_path = ''; SET LOCAL extra_float_digits = 1;
SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC';
SET LOCAL quote_all_identifiers = off; SET LOCAL jit = off; SET LOCAL bytea_output = 'hex'";

/// What all queries of the kinds share: the schemas in scope, members of extensions, and the
/// relations that are left. None is materialized: the planner knows nothing of what is in a
/// materialized one, and joins two of them by comparing each with each.
pub(crate) const PRELUDE: &str = "
WITH space AS NOT MATERIALIZED (
  SELECT oid, nspname FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND nspname <> ALL ($1::text[])
), member AS NOT MATERIALIZED (
  SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relation AS NOT MATERIALIZED (
  SELECT c.*, n.nspname FROM pg_class c JOIN space n ON n.oid = c.relnamespace
  WHERE NOT EXISTS (
    SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
)";

/// What catalogs before a version do not have, and what stands for it there.
const YOUNGER: [(u32, &str, &str); 4] = [
    (15, "r.prattrs", "NULL::int2[]"),
    (15, "r.prqual", "NULL::pg_node_tree"),
    (15, "'pg_publication_namespace'::regclass::oid", "0::oid"),
    (15, "pg_publication_namespace r", "(SELECT 0::oid oid, 0::oid pnpubid, 0::oid pnnspid) r"),
];

/// The settings under which the server's texts can be compared.
pub(crate) fn pin(transaction: &mut Transaction<'_>) -> Result<()> {
    transaction.batch_execute(SETTINGS).map_err(Error::postgres("read the catalog"))
}

/// The query as the server's catalog allows it.
pub(crate) fn for_version(query: &str, version: u32) -> String {
    let missing = YOUNGER.iter().filter(|(since, ..)| version < *since);
    missing.fold(query.to_owned(), |query, (_, what, instead)| query.replace(what, instead))
}
