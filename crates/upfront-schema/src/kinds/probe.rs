//! Queries that count beforehand what is in the way of a statement.
//!
//! Those of keys and constraints are written by the server along with the facts, as its texts name
//! schemas and operators in full.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Created, strings},
        object_kind::ObjectKind,
    },
    quote,
    sql::Probe,
};

/// The relation itself, without those that inherit from it; all of its partitions.
macro_rules! own_rows {
    ($relation:literal) => {
        concat!(
            "(CASE ",
            $relation,
            ".relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', ",
            $relation,
            ".nspname, ",
            $relation,
            ".relname))"
        )
    };
}

/// An operator `o` of the schema `n`.
macro_rules! operator {
    () => {
        "CASE n.nspname WHEN 'pg_catalog' THEN o.oprname
      ELSE format('OPERATOR(%I.%s)', n.nspname, o.oprname) END"
    };
}

/// Counts the groups of rows that a unique index `x` does not allow.
macro_rules! unique_probe {
    ($relation:literal) => {
        concat!(
            "(SELECT format('SELECT count(*) FROM (SELECT FROM %s%s GROUP BY %s HAVING count(*) > 1%s) d',
    CASE WHEN plain THEN ", own_rows!($relation), " ELSE format('(SELECT %s FROM %s%s) k',
      string_agg(format('%s AS k%s', text, n), ', ' ORDER BY n), ", own_rows!($relation), ",
      ' WHERE ' || pg_get_expr(x.indpred, x.indrelid)) END,
    ' WHERE ' || NULLIF(concat_ws(' AND ', CASE WHEN plain THEN pg_get_expr(x.indpred, x.indrelid) END,
      CASE WHEN NOT x.indisprimary
        AND NOT coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::bool, false)
        THEN string_agg(format(CASE WHEN composite THEN '%s IS DISTINCT FROM NULL'
          ELSE '%s IS NOT NULL' END, name), ' AND ' ORDER BY n) END), ''),
    string_agg(name, ', ' ORDER BY n),
    CASE WHEN x.indisprimary THEN string_agg(format(CASE WHEN composite
      THEN ' OR %s IS NOT DISTINCT FROM NULL' ELSE ' OR %s IS NULL' END, name), '' ORDER BY n) END)
  FROM (SELECT n, text, plain, CASE WHEN plain THEN text ELSE 'k' || n END AS name, composite FROM (
    SELECT n, x.indexprs IS NULL AS plain, t.typcategory = 'C' AS composite,
      pg_get_indexdef(x.indexrelid, n, false)
        || coalesce(' COLLATE ' || quote_ident(s.nspname) || '.' || quote_ident(l.collname), '') AS text
    FROM generate_series(1, x.indnkeyatts) n
    JOIN pg_attribute a ON a.attrelid = x.indexrelid AND a.attnum = n
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = x.indcollation[n - 1] AND l.collname <> 'default'
    LEFT JOIN pg_namespace s ON s.oid = l.collnamespace) q) q
  WHERE NOT EXISTS (SELECT FROM unnest(x.indclass) i JOIN pg_opclass p ON p.oid = i
    WHERE NOT p.opcdefault AND p.opcname !~ '_pattern_ops$')
  GROUP BY plain)"
        )
    };
}

/// Counts what a constraint `k` of the relation `c`, with its index `x`, does not allow.
macro_rules! constraint_probe {
    () => {
        concat!(
            "CASE
  WHEN k.contype = 'c' THEN format('SELECT count(*) FROM %s%I.%I WHERE %s IS FALSE',
    CASE WHEN k.connoinherit THEN 'ONLY ' END, c.nspname, c.relname,
    pg_get_expr(k.conbin, k.conrelid))
  WHEN k.contype IN ('p', 'u') AND k.conexclop IS NULL THEN ", unique_probe!("c"), "
  WHEN k.contype = 'x' THEN (
    SELECT format('WITH k AS (SELECT %s AS place, %s FROM %s%s) '
        'SELECT count(*) FROM k a JOIN k b ON a.place < b.place AND %s',
      CASE c.relkind WHEN 'p' THEN 'ROW(tableoid, ctid)' ELSE 'ctid' END,
      string_agg(format('%s AS k%s', pg_get_indexdef(x.indexrelid, u.at::int4, false), u.at),
        ', ' ORDER BY u.at), ", own_rows!("c"), ",
      ' WHERE ' || pg_get_expr(x.indpred, x.indrelid),
      string_agg(format('a.k%s %s b.k%s', u.at, ", operator!(), ", u.at), ' AND ' ORDER BY u.at))
    FROM unnest(k.conexclop) WITH ORDINALITY u (operator, at)
    JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace n ON n.oid = o.oprnamespace)
  WHEN k.contype = 'f' AND pg_get_constraintdef(k.oid) NOT LIKE '%PERIOD %' THEN (
    SELECT format('SELECT count(*) FROM %s f WHERE %s AND NOT EXISTS (SELECT FROM %s o WHERE %s)',
      ", own_rows!("c"), ",
      CASE k.confmatchtype WHEN 'f' THEN format('NOT (%s)', string_agg(format(CASE t.typcategory
          WHEN 'C' THEN 'f.%I IS NOT DISTINCT FROM NULL' ELSE 'f.%I IS NULL' END, a.attname),
          ' AND ' ORDER BY u.at))
        ELSE string_agg(format(CASE t.typcategory WHEN 'C' THEN 'f.%I IS DISTINCT FROM NULL'
          ELSE 'f.%I IS NOT NULL' END, a.attname), ' AND ' ORDER BY u.at) END,
      (SELECT ", own_rows!("r"), " FROM (SELECT s.nspname, r.relname, r.relkind FROM pg_class r
        JOIN pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = k.confrelid) r),
      string_agg(format('o.%I %s f.%I', b.attname, ", operator!(), ", a.attname),
        ' AND ' ORDER BY u.at))
    FROM unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY u (own, other, operator, at)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.other
    JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace n ON n.oid = o.oprnamespace)
END"
        )
    };
}

/// What a partition `c` of `p` holds, without the numbers of this one server.
macro_rules! partition_check {
    () => {
        "CASE WHEN c.relispartition THEN (
    SELECT q.text FROM (SELECT replace(pg_get_partition_constraintdef(c.oid),
      format('%L::oid', p.oid::text), format('%L::regclass', format('%I.%I', p.nspname, p.relname)))
      AS text) q WHERE q.text !~ '''[0-9]+''::oid') END"
    };
}

/// The query that came with a fact.
pub(super) fn of(fact: &Fact) -> Probe {
    const OTHER: &str = "its operators are not those by which SQL compares";
    fact.note("probe").map_or(Probe::None(OTHER), Probe::query)
}

/// The same for something to be made; a column that comes with it cannot be asked before.
pub(super) fn of_created(it: &Created<'_>) -> Probe {
    let uses = it.facts.find(&it.fact.id).map(|at| it.facts.uses[at].as_slice());
    let mut columns = uses.unwrap_or_default().iter().map(|(at, _)| &it.facts.all[*at]);
    match columns
        .any(|used| used.id.kind == ObjectKind::Column && it.before.find(&used.id).is_none())
    {
        true => Probe::None("a column of it is new"),
        false => of(it.fact),
    }
}

/// Whether its table has no rows to check: a new table, or a foreign one.
pub(super) fn is_without_rows(it: &Created<'_>) -> bool {
    let parent = it.facts.parent(it.fact);
    parent.is_some_and(|parent| {
        parent.id.kind == ObjectKind::ForeignTable || it.before.find(&parent.id).is_none()
    })
}

/// Whether the type of a column forbids NULL, and has no value of its own.
pub(super) fn has_strict_domain(it: &Created<'_>) -> bool {
    let name = it.fact.text("type");
    let domain = it.facts.iter().find(|domain| {
        domain.id.kind == ObjectKind::Domain && name == Some(domain.id.path().as_str())
    });
    domain.is_some_and(|it| it.is("not_null") && !it.attributes.contains_key("default"))
}

/// Counts the rows with NULL in a column.
pub(super) fn nulls(column: &Fact) -> Probe {
    let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
    // The other form asks for the fields of a row.
    let is_null = match column.note("category") {
        Some("C") => "IS NOT DISTINCT FROM NULL",
        _ => "IS NULL",
    };
    Probe::query(format!("SELECT count(*) FROM {table} WHERE {name} {is_null}"))
}

/// Counts the rows of a table.
pub(super) fn rows(table: &str) -> Probe {
    Probe::query(format!("SELECT count(*) FROM {table}"))
}

/// Counts the values of a domain that fulfil a condition on `value`.
pub(super) fn of_domain(facts: &Facts, domain: &str, condition: &str) -> Option<Probe> {
    let columns = facts.iter().filter(|it| {
        it.id.kind == ObjectKind::Column
            && it.origin.is_none()
            && it.note("base").is_some_and(|it| is_over(facts, it, domain))
    });
    let one = |it: &Fact| {
        format!("SELECT {} AS value FROM {}", quote::name(it.id.name()), it.id.owner_path())
    };
    let all: Vec<_> = columns.map(one).collect();
    (!all.is_empty()).then(|| {
        let all = all.join(" UNION ALL ");
        Probe::query(format!("SELECT count(*) FROM ({all}) v WHERE {condition}"))
    })
}

/// Whether a type is the domain, or one that is made of it.
fn is_over(facts: &Facts, name: &str, domain: &str) -> bool {
    let base = || facts.iter().find(|it| it.id.kind == ObjectKind::Domain && it.id.path() == name);
    name == domain
        || base().and_then(|it| it.text("base")).is_some_and(|it| is_over(facts, it, domain))
}

/// Counts the rows that do not belong into a partition, and those of the default partition that do.
pub(super) fn of_partition(before: &Facts, fact: &Fact) -> Option<Probe> {
    let (child, parent) = (&fact.id.names[..2], &fact.id.names[2..]);
    let is_there = |names: &[String]| before.get(ObjectKind::Table, names).is_some();
    let default = before.iter().find(|it| {
        it.id.kind == ObjectKind::Inheritance
            && it.id.names[2..] == *parent
            && it.text("bound") == Some("DEFAULT")
            && it.id.names[..2] != *child
    });
    let count = |names: &[String], is: &str, check: &str| {
        format!("SELECT count(*) FROM {} WHERE ({check}) IS {is}", quote::qualified(names))
    };
    let Some(check) = fact.note("check") else {
        let is_marked = is_there(child) || default.is_some();
        return is_marked.then_some(Probe::None("the bound is that of a partition of a partition"));
    };
    let own = is_there(child).then(|| count(child, "FALSE", check));
    let others = default.map(|it| count(&it.id.names[..2], "TRUE", check));
    match (own, others) {
        (Some(own), Some(others)) => Some(Probe::query(format!("SELECT ({own}) + ({others})"))),
        (own, others) => own.or(others).map(Probe::query),
    }
}

/// Counts the values that are no label of an enum.
pub(super) fn of_labels(column: &Fact, labels: &Fact) -> Probe {
    let labels = strings(labels.attributes.get("labels"));
    let labels: Vec<_> = labels.into_iter().map(quote::literal).collect();
    let labels = format!("ALL (ARRAY[{}]::text[])", labels.join(", "));
    let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
    let is_array = column.text("type").is_some_and(|it| it.ends_with(']'));
    Probe::query(match is_array {
        true => format!(
            "SELECT count(*) FROM {table} WHERE EXISTS \
             (SELECT FROM unnest({name}::text[]) label WHERE label <> {labels})"
        ),
        false => format!("SELECT count(*) FROM {table} WHERE {name}::text <> {labels}"),
    })
}
