//! What has another name after a migration, by the server's own numbers.

use std::collections::HashMap;

use upfront_scratch::Database;

use crate::error::{Error, Result};
use crate::facts::Address;
use crate::generate::label;
use crate::generate::rename::Renaming;
use crate::identity::Identity;
use crate::{rule, session};

/// Kinds within others come first, as then the others have their names still.
const NAMES: &str = "
WITH space AS (SELECT oid, nspname FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
relation AS (SELECT c.oid, c.relkind, s.nspname, c.relname FROM pg_class c
  JOIN space s ON s.oid = c.relnamespace)
SELECT 'pg_class'::regclass::oid, r.oid, a.attnum::int4, 'column',
  ARRAY[r.nspname, r.relname, a.attname]::text[]
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
WHERE r.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0
UNION ALL SELECT 'pg_constraint'::regclass, k.oid, 0, 'table constraint',
  ARRAY[r.nspname, r.relname, k.conname] FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid
WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.coninhcount = 0 AND k.conparentid = 0
UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 0, 'trigger',
  ARRAY[r.nspname, r.relname, t.tgname] FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL SELECT 'pg_policy'::regclass, p.oid, 0, 'policy',
  ARRAY[r.nspname, r.relname, p.polname] FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
UNION ALL SELECT 'pg_class'::regclass, r.oid, 0, CASE r.relkind WHEN 'v' THEN 'view'
    WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
    WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'c' THEN 'composite type' ELSE 'table' END,
  ARRAY[r.nspname, r.relname] FROM relation r
WHERE NOT EXISTS (SELECT FROM pg_constraint k
  WHERE k.conindid = r.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL SELECT 'pg_type'::regclass, t.oid, 0,
  CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range type' END,
  ARRAY[s.nspname, t.typname] FROM pg_type t JOIN space s ON s.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'r')
UNION ALL SELECT 'pg_enum'::regclass, e.oid, 0, 'enum value',
  ARRAY[s.nspname, t.typname, e.enumlabel] FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
  JOIN space s ON s.oid = t.typnamespace
UNION ALL SELECT 'pg_namespace'::regclass, s.oid, 0, 'schema', ARRAY[s.nspname] FROM space s";

/// The names of all objects of a database at one moment, by what stays when a name changes.
#[derive(Debug)]
pub struct Names(Vec<(Address, Identity)>);

impl Names {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn read(database: &Database<'_>) -> Result<Self> {
        let rows = session::open(database)?.query(NAMES, &[]);
        let rows = rows.map_err(Error::postgres("read the names"))?;
        let one = |row: &postgres::Row| {
            let kind: &str = row.get(3);
            let kind = if kind == label::KIND { label::KIND } else { rule::find(kind)?.kind };
            let names: Vec<String> = row.get(4);
            Some(((row.get(0), row.get(1), row.get(2)), Identity::new(kind, &names)))
        };
        Ok(Self(rows.iter().filter_map(one).collect()))
    }

    /// What gives everything its name of before, in this order; these names are the later ones.
    #[must_use]
    pub fn back_to(&self, before: &Self) -> Vec<Renaming> {
        let old: HashMap<_, _> = before.0.iter().map(|(address, id)| (address, id)).collect();
        let one = |(address, id): &(Address, Identity)| {
            let to = old.get(address)?.name();
            (to != id.name()).then(|| Renaming { id: id.clone(), to: to.to_owned() })
        };
        self.0.iter().filter_map(one).collect()
    }
}
