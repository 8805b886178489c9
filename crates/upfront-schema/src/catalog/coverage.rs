//! The guard against silence: whatever is in scope and has no rule is an error.

use std::collections::{HashMap, HashSet};

use postgres::{Row, Transaction};

use crate::{
    catalog::{dependencies::CatalogDependencies, facts::Address, prelude::PRELUDE, scope::Scope},
    error::{Error, Kind, Result},
    kinds::queries,
};

/// Every object that a user can make, by the catalog that it is in.
const OBJECTS: &str = "
SELECT 'pg_class'::regclass::oid, c.oid FROM pg_class c JOIN space s ON s.oid = c.relnamespace
UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN space s ON s.oid = t.typnamespace
UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k
  JOIN space s ON s.oid = k.connamespace WHERE k.contype NOT IN ('t', 'n')
UNION ALL SELECT 'pg_operator'::regclass, o.oid FROM pg_operator o
  JOIN space s ON s.oid = o.oprnamespace
UNION ALL SELECT 'pg_opclass'::regclass, o.oid FROM pg_opclass o
  JOIN space s ON s.oid = o.opcnamespace
UNION ALL SELECT 'pg_opfamily'::regclass, o.oid FROM pg_opfamily o
  JOIN space s ON s.oid = o.opfnamespace
UNION ALL SELECT 'pg_collation'::regclass, o.oid FROM pg_collation o
  JOIN space s ON s.oid = o.collnamespace
UNION ALL SELECT 'pg_conversion'::regclass, o.oid FROM pg_conversion o
  JOIN space s ON s.oid = o.connamespace
UNION ALL SELECT 'pg_ts_config'::regclass, o.oid FROM pg_ts_config o
  JOIN space s ON s.oid = o.cfgnamespace
UNION ALL SELECT 'pg_ts_dict'::regclass, o.oid FROM pg_ts_dict o
  JOIN space s ON s.oid = o.dictnamespace
UNION ALL SELECT 'pg_ts_parser'::regclass, o.oid FROM pg_ts_parser o
  JOIN space s ON s.oid = o.prsnamespace
UNION ALL SELECT 'pg_ts_template'::regclass, o.oid FROM pg_ts_template o
  JOIN space s ON s.oid = o.tmplnamespace
UNION ALL SELECT 'pg_statistic_ext'::regclass, o.oid FROM pg_statistic_ext o
  JOIN space s ON s.oid = o.stxnamespace
UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated = ''
UNION ALL SELECT 'pg_trigger'::regclass, oid FROM pg_trigger
  WHERE NOT tgisinternal AND tgparentid = 0
UNION ALL SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE rulename <> '_RETURN'
UNION ALL SELECT 'pg_policy'::regclass, oid FROM pg_policy
UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
UNION ALL SELECT 'pg_extension'::regclass, oid FROM pg_extension
UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform
UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language
UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am
UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
UNION ALL SELECT 'pg_user_mapping'::regclass, oid FROM pg_user_mapping
UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication
UNION ALL SELECT 'pg_publication_rel'::regclass, oid FROM pg_publication_rel
UNION ALL SELECT 'pg_default_acl'::regclass, oid FROM pg_default_acl
UNION ALL SELECT 'pg_amop'::regclass, a.oid FROM pg_amop a WHERE a.oid >= 16384
UNION ALL SELECT 'pg_amproc'::regclass, a.oid FROM pg_amproc a WHERE a.oid >= 16384";

/// Kind, name and description of each. What belongs to no schema and uses something of one left
/// out is left out, too.
const NAMES: &str = "
SELECT DISTINCT u.class, u.object, 0, i.type,
  coalesce(i.schema || '.' || i.name, i.name, i.identity),
  i.type || ' ' || coalesce(i.identity, i.name), coalesce(i.schema, '')
FROM unnest($1::oid[], $2::oid[]) u (class, object)
CROSS JOIN LATERAL pg_identify_object(u.class, u.object, 0) i
WHERE i.schema IS NOT NULL OR NOT EXISTS (
  SELECT FROM pg_depend d CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, 0) b
  WHERE d.classid = u.class AND d.objid = u.object AND coalesce(b.schema,
    CASE d.refclassid WHEN 'pg_namespace'::regclass THEN b.name END) = ANY ($3))
ORDER BY 6";

/// What has a lower number came with the server.
const FIRST_USER_OBJECT: u32 = 16384;

/// Something that no rule has read.
pub(crate) struct UnmodeledObject {
    address: Address,
    pub(crate) kind: String,
    /// As a pattern has it.
    pub(crate) path: String,
    /// As a message has it.
    words: String,
    schema: String,
}

/// Lists what has no rule; `is_left_alone` returns whether a fact is left out by its name.
pub(crate) fn unknown(
    transaction: &mut Transaction<'_>,
    scope: &Scope,
    addresses: &HashMap<Address, usize>,
    depend: &CatalogDependencies,
    is_left_alone: impl Fn(usize) -> bool,
) -> Result<Vec<UnmodeledObject>> {
    let mut unknown = objects(transaction, scope, addresses, depend)?;
    let labels = transaction
        .query(queries::UNMODELED_LABELS, &[])
        .map_err(Error::postgres("list labels"))?;
    unknown.extend(labels.iter().map(read));
    unknown.retain(|it| {
        let within = depend.resolve(it.address, addresses);
        !scope.leaves_alone(&it.kind, &it.path, &it.schema)
            && !scope.without_schemas.contains(&it.schema)
            && !within.is_some_and(&is_left_alone)
    });
    Ok(unknown)
}

/// An error that names what has no rule, if there is anything.
pub(crate) fn refuse(unknown: Vec<UnmodeledObject>) -> Result<()> {
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Kind::Unmodeled(unknown.into_iter().map(|it| it.words).collect()).into()),
    }
}

fn objects(
    transaction: &mut Transaction<'_>,
    scope: &Scope,
    addresses: &HashMap<Address, usize>,
    depend: &CatalogDependencies,
) -> Result<Vec<UnmodeledObject>> {
    let known: HashSet<(u32, u32)> =
        addresses.keys().filter(|it| it.2 >= 0).map(|it| (it.0, it.1)).collect();
    let rows = transaction
        .query(&format!("{PRELUDE} {OBJECTS}"), &[&scope.without_schemas])
        .map_err(Error::postgres("list what there is"))?;
    let (classes, objects): (Vec<u32>, Vec<u32>) = rows
        .iter()
        .map(|it| (it.get(0), it.get(1)))
        .filter(|it: &(u32, u32)| it.1 >= FIRST_USER_OBJECT && !known.contains(it))
        .filter(|it| !belongs((it.0, it.1, 0), addresses, depend))
        .unzip();
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let rows = transaction
        .query(NAMES, &[&classes, &objects, &scope.without_schemas])
        .map_err(Error::postgres("name what is not modelled"))?;
    Ok(rows.iter().map(read).collect())
}

fn read(row: &Row) -> UnmodeledObject {
    UnmodeledObject {
        address: (row.get(0), row.get(1), row.get(2)),
        kind: row.get(3),
        path: row.get(4),
        words: row.get(5),
        schema: row.get(6),
    }
}

/// Whether it is part of a fact, or of something that is left out.
fn belongs(it: Address, addresses: &HashMap<Address, usize>, depend: &CatalogDependencies) -> bool {
    depend.resolve_part(it, addresses).is_some()
        || depend.is_foreign(it, addresses)
        || depend.is_member(it)
        || depend.rides_on_member(it)
}
