//! Tables, partitioned or not, and foreign tables. What is in them are facts of their own.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        alter_table::head,
        column, constraint,
        definition::{Change, Created, Definition, Outcome, alter_owner, replace, with_owner},
        inheritance,
        object_kind::ObjectKind,
        parameters, sequence,
    },
    quote,
    sql::Sql,
};

const QUERY: &str = "
SELECT 'pg_class'::regclass::oid, c.oid, 0,
  CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END,
  ARRAY[c.nspname, c.relname]::text[], '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(c.relowner), current_user),
    'persistence', NULLIF(c.relpersistence, 'p'),
    'options', (SELECT jsonb_object_agg(option_name, option_value) FROM (
      SELECT * FROM pg_options_to_table(c.reloptions)
      UNION ALL SELECT 'toast.' || o.option_name, o.option_value
      FROM pg_class t, pg_options_to_table(t.reloptions) o WHERE t.oid = c.reltoastrelid) o
      WHERE option_name !~ '^(toast\\.)?pg_'),
    'row_security', NULLIF(c.relrowsecurity, false),
    'force_row_security', NULLIF(c.relforcerowsecurity, false),
    'partition_key', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
    'of_type', CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
    'access_method', NULLIF(am.amname, 'heap'),
    'tablespace', t.spcname,
    'server', f.srvname,
    'foreign_options', (SELECT jsonb_object_agg(option_name, coalesce(option_value, ''))
      FROM pg_options_to_table(f.ftoptions))))::text, '{}'
FROM relation c LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
LEFT JOIN (SELECT ftrelid, ftoptions, srvname FROM pg_foreign_table
  JOIN pg_foreign_server s ON s.oid = ftserver) f ON f.ftrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'f')";

pub(super) static TABLE: Definition = Definition {
    kind: ObjectKind::Table,
    creation_order: 100,
    query: QUERY,
    create,
    drop,
    attributes: &[
        ("owner", alter_owner),
        ("persistence", alter_persistence),
        ("options", alter_options),
        ("row_security", alter_row_security),
        ("force_row_security", alter_force),
        ("partition_key", replace),
        ("of_type", alter_type),
        ("access_method", |it| alter_place(it, "ACCESS METHOD", "heap")),
        ("tablespace", |it| alter_place(it, "TABLESPACE", "pg_default")),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static FOREIGN_TABLE: Definition = Definition {
    kind: ObjectKind::ForeignTable,
    creation_order: 100,
    query: "",
    create,
    drop: |_, fact| vec![Sql::whole(format!("DROP FOREIGN TABLE {}", fact.id.path()))],
    attributes: &[("owner", alter_owner), ("server", replace), ("foreign_options", alter_foreign)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn create(it: &Created<'_>) -> Vec<Sql> {
    let fact = it.fact;
    let unlogged = if fact.text("persistence") == Some("u") { "UNLOGGED " } else { "" };
    let foreign = if fact.id.kind == ObjectKind::ForeignTable { "FOREIGN " } else { "" };
    let text = format!(
        "CREATE {unlogged}{foreign}TABLE {}{}{}",
        fact.id.path(),
        content(it),
        properties(fact)
    );
    let mut table = Sql::whole(text);
    for born in it.folded.iter().filter(|it| it.fact.attributes.contains_key("bound")) {
        table = inheritance::may_fail(table, it.before, born.fact);
    }
    let mut sql = with_owner(it, vec![table]);
    sql.extend(it.folded.iter().flat_map(column::after_create));
    sql.extend(it.folded.iter().filter_map(|column| column::stricter(it.facts, column.fact)));
    let flags = [("row_security", "ENABLE"), ("force_row_security", "FORCE")];
    for (_, verb) in flags.into_iter().filter(|(flag, _)| fact.is(flag)) {
        sql.push(Sql::clause(head(&fact.id.names), format!("{verb} ROW LEVEL SECURITY")));
    }
    sql
}

/// The list of columns and constraints, and where more of them come from.
fn content(it: &Created<'_>) -> String {
    let of = |kind: ObjectKind| it.folded.iter().filter(move |it| it.fact.id.kind == kind);
    let parents: Vec<_> = of(ObjectKind::Inheritance).collect();
    let partition = parents.iter().find_map(|it| it.fact.text("bound"));
    let own = |it: &&Created<'_>| {
        let is_local = it.fact.is_noted("local") && partition.is_none();
        parents.is_empty() || it.fact.origin.is_none() || is_local
    };
    let mut lines: Vec<_> = of(ObjectKind::Column).filter(own).collect();
    lines.sort_by_key(|it| it.fact.notes.get("position").and_then(Value::as_i64));
    let columns = lines.iter().map(|it| column::definition(it));
    let constraints =
        of(ObjectKind::TableConstraint).filter(own).map(|it| constraint::definition(it.fact));
    let list = columns.chain(constraints).map(|it| format!("\n  {it}")).collect::<Vec<_>>();
    let list = if list.is_empty() { String::new() } else { format!("{}\n", list.join(",")) };
    let names = parents.iter().map(|it| inheritance::parent(it.fact)).collect::<Vec<_>>();
    match (partition, it.fact.text("of_type")) {
        (Some(bound), _) if list.is_empty() => {
            format!(" PARTITION OF {} {bound}", names.join(", "))
        }
        (Some(bound), _) => format!(" PARTITION OF {} ({list}) {bound}", names.join(", ")),
        (None, Some(it)) => format!(" OF {it}"),
        _ if names.is_empty() => format!(" ({list})"),
        _ => format!(" ({list}) INHERITS ({})", names.join(", ")),
    }
}

fn properties(fact: &Fact) -> String {
    let one = |attribute, word: &str| match fact.text(attribute) {
        Some(it) => format!(" {word} {it}"),
        None => String::new(),
    };
    let name = |attribute, word: &str| match fact.text(attribute) {
        Some(it) => format!(" {word} {}", quote::name(it)),
        None => String::new(),
    };
    [
        one("partition_key", "PARTITION BY"),
        name("server", "SERVER"),
        parameters::foreign(fact.attributes.get("foreign_options")),
        name("access_method", "USING"),
        parameters::with(fact.attributes.get("options")),
        name("tablespace", "TABLESPACE"),
    ]
    .concat()
}

fn drop(_: &Facts, fact: &Fact) -> Vec<Sql> {
    let path = fact.id.path();
    let sql = Sql::whole(format!("DROP TABLE {path}"));
    vec![sql.loses(format!("all rows of {path}"))]
}

fn alter_persistence(it: &Change<'_>) -> Outcome {
    let to = if it.wanted_text() == Some("u") { "SET UNLOGGED" } else { "SET LOGGED" };
    let sql = Sql::clause(head(&it.to.id.names), to).rewrites(it.to.id.path());
    Outcome::InPlace([vec![sql], sequence::that_stay(it)].concat())
}

fn alter_type(it: &Change<'_>) -> Outcome {
    let clause = it.wanted_text().map_or_else(|| "NOT OF".to_owned(), |it| format!("OF {it}"));
    Outcome::InPlace(vec![Sql::whole(format!("{} {clause}", head(&it.to.id.names)))])
}

fn alter_options(it: &Change<'_>) -> Outcome {
    let clauses = parameters::change(it.old_value(), it.wanted_value());
    Outcome::InPlace(clauses.into_iter().map(|c| Sql::clause(head(&it.to.id.names), c)).collect())
}

fn alter_foreign(it: &Change<'_>) -> Outcome {
    let change = parameters::change_foreign(it.old_value(), it.wanted_value());
    let sql = format!("ALTER FOREIGN TABLE {} {change}", it.to.id.path());
    Outcome::InPlace(vec![Sql::whole(sql)])
}

fn alter_row_security(it: &Change<'_>) -> Outcome {
    let verb = if it.wanted_value().is_some() { "ENABLE" } else { "DISABLE" };
    let clause = format!("{verb} ROW LEVEL SECURITY");
    Outcome::InPlace(vec![Sql::clause(head(&it.to.id.names), clause)])
}

fn alter_force(it: &Change<'_>) -> Outcome {
    let verb = if it.wanted_value().is_some() { "FORCE" } else { "NO FORCE" };
    let clause = format!("{verb} ROW LEVEL SECURITY");
    Outcome::InPlace(vec![Sql::clause(head(&it.to.id.names), clause)])
}

fn alter_place(it: &Change<'_>, what: &str, usual: &str) -> Outcome {
    let name = quote::name(it.wanted_text().unwrap_or(usual));
    let sql = Sql::clause(head(&it.to.id.names), format!("SET {what} {name}"));
    Outcome::InPlace(vec![sql.rewrites(it.to.id.path())])
}
