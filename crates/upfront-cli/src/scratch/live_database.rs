//! What is asked of a database whose schema is compared, besides the schema.

use std::{collections::HashMap, fmt::Write};

use deadpool_postgres::Pool;
use tokio_postgres::SimpleQueryMessage;
use upfront::cli::{Exit, Output};
use upfront_schema::{ObjectKind, Pattern, Setup};
use upfront_scratch::DumpFilter;

use crate::{
    config::{Project, preset::Preset},
    output::failure::Failure,
    scratch::scope,
};

/// What `pg_dump` leaves out.
const LEFT_OUT: &str = "
SELECT 'subscription', s.subname::text, 'subscription ' || s.subname, '' FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
UNION ALL SELECT 'security label', i.identity, 'security label on ' || i.type || ' ' || i.identity,
  coalesce(i.schema, CASE i.type WHEN 'schema' THEN i.name END, '')
FROM pg_catalog.pg_seclabel l
CROSS JOIN LATERAL pg_catalog.pg_identify_object(l.classoid, l.objoid, l.objsubid) i ORDER BY 3";

/// The schemas, and how many relations of each owner they have.
const OWNERS: &str = "
SELECT n.nspname, coalesce(pg_catalog.pg_get_userbyid(c.relowner), ''), count(c.oid), current_user
FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
  AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' GROUP BY 1, 2 ORDER BY 1, 2";

/// Tables and the like, by the kinds of patterns, and the table that a sequence belongs to.
const TABLES: &str = "
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
  WHEN 'f' THEN 'foreign table' ELSE 'table' END, n.nspname, c.relname, (
    SELECT m.nspname || '.' || t.relname FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
    JOIN pg_catalog.pg_namespace m ON m.oid = t.relnamespace
    WHERE c.relkind = 'S' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
      AND d.refclassid = d.classid AND d.deptype IN ('a', 'i'))
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema' ORDER BY 2, 3";

/// Triggers and policies with their comments as SQL, and where they and the function are. With an
/// empty search path the server qualifies all names.
const ATTACHED: &str = "
BEGIN; SET LOCAL search_path = '';
SELECT n.nspname, c.relname, coalesce(f.nspname, ''), t.sql || coalesce(
  pg_catalog.format(E';\nCOMMENT ON %s %I ON %I.%I IS %L', t.kind, t.name, n.nspname, c.relname, d.description), '')
FROM (
  SELECT 'TRIGGER' AS kind, t.tgname AS name, t.tgrelid AS relation, t.tgfoid AS function, t.oid,
    'pg_catalog.pg_trigger'::pg_catalog.regclass AS class,
    pg_catalog.pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'O' THEN '' ELSE pg_catalog.format(
      E';\nALTER TABLE %s %s TRIGGER %I', t.tgrelid::pg_catalog.regclass, CASE t.tgenabled
      WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname) END AS sql
  FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal AND t.tgparentid = 0
  UNION ALL
  SELECT 'POLICY', p.polname, p.polrelid, NULL, p.oid, 'pg_catalog.pg_policy'::pg_catalog.regclass,
    pg_catalog.format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname,
      p.polrelid::pg_catalog.regclass,
      CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
      CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
        WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
      (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC'
        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ') FROM unnest(p.polroles) r),
      ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
      ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')
  FROM pg_catalog.pg_policy p
) t
JOIN pg_catalog.pg_class c ON c.oid = t.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.function
LEFT JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_description d ON d.classoid = t.class AND d.objoid = t.oid
ORDER BY 1, 2, 4; COMMIT";

/// What was found.
#[derive(Debug)]
pub(crate) struct LiveDatabase {
    /// Kind, name, words and schema of each.
    left_out: Vec<[String; 4]>,
    /// All schemas.
    schemas: Vec<String>,
    /// Kind, schema and name of tables and the like, and the table of a sequence.
    tables: Vec<[String; 4]>,
    /// Schema and table, the schema of the function, and the SQL.
    attached: Vec<[String; 4]>,
    /// The role whose objects count as the default owner's.
    pub(crate) owner: Option<String>,
}

impl LiveDatabase {
    /// Asks the database.
    pub(crate) async fn ask(pool: &Pool, project: &Project) -> Result<Self, Failure> {
        let settings = project.settings()?;
        let owners: Vec<[String; 4]> = rows(&query(pool, OWNERS).await?);
        let mut schemas: Vec<_> = owners.iter().map(|[schema, ..]| schema.clone()).collect();
        schemas.dedup();
        let most = owner(&owners, settings.own_schema(), project);
        Ok(Self {
            left_out: rows(&query(pool, LEFT_OUT).await?),
            schemas,
            tables: rows(&query(pool, TABLES).await?),
            attached: rows(&query(pool, ATTACHED).await?),
            owner: settings.role.or(most),
        })
    }

    /// Names what is not compared.
    pub(crate) fn warn(&self, project: &Project, output: &Output) {
        let excluded = scope::excluded(project);
        for [kind, name, words, schema] in &self.left_out {
            let is_excluded =
                kind.parse().is_ok_and(|kind| excluded.iter().any(|it| it.names(kind, name)));
            if !is_excluded && !is_omitted(schema, project, &excluded) {
                output.warning(&format!("{words} of the database is not compared"));
            }
        }
    }

    /// The schemas that are not read.
    pub(crate) fn omitted(&self, project: &Project) -> Vec<String> {
        let excluded = scope::excluded(project);
        let all = self.schemas.iter().filter(|it| is_omitted(it, project, &excluded));
        all.cloned().collect()
    }

    /// What `pg_dump` is not asked for.
    pub(crate) fn filter(&self, project: &Project) -> DumpFilter {
        let excluded = scope::excluded(project);
        let is_excluded = |[kind, schema, name, of]: &&[String; 4]| {
            let path = format!("{schema}.{name}");
            excluded.iter().any(|it| {
                kind.parse().is_ok_and(|kind| it.names(kind, &path))
                    || !of.is_empty() && it.names(ObjectKind::Table, of)
            })
        };
        let tables = self.tables.iter().filter(is_excluded);
        let tables = tables.map(|[_, schema, name, _]| [schema.clone(), name.clone()]).collect();
        let mut filter = DumpFilter { schemas: self.omitted(project), tables };
        if let Some(it) = project.setup.get() {
            it.add_to(&mut filter);
        }
        filter
    }

    /// The same where `pg_dump` is asked for schemas that do not count, too, but for upfront's own and
    /// those of a service.
    pub(crate) fn wider_filter(&self, project: &Project) -> DumpFilter {
        let is_never_read = |it: &&String| {
            let is_own = project.settings().is_ok_and(|own| own.own_schema() == it.as_str());
            is_own || is_of_service(it, project)
        };
        let schemas = self.schemas.iter().filter(is_never_read).cloned().collect();
        let mut filter = DumpFilter { schemas, tables: Vec::new() };
        if let Some(it) = project.setup.get() {
            it.add_to(&mut filter);
        }
        filter
    }

    /// The triggers and policies that somebody has put on tables of the setup, as SQL.
    pub(crate) fn attached(&self, setup: &Setup) -> String {
        let is_users = |[schema, table, function, _]: &&[String; 4]| {
            setup.is_own_table(schema, table) && !setup.is_own_schema(function)
        };
        let all = self.attached.iter().filter(is_users);
        all.fold(String::new(), |text, [.., sql]| text + sql + ";\n")
    }

    /// The text of a dump without owners, in which the role that loads it gets the privileges of
    /// the default owner.
    pub(crate) fn without_owner(&self, dump: &str) -> String {
        let Some(owner) = &self.owner else { return dump.to_owned() };
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
        let plain = owner.bytes().all(fits);
        let quoted = format!("\"{}\"", owner.replace('"', "\"\""));
        let names = [Some(quoted), plain.then(|| owner.clone())];
        let names: Vec<_> = names.into_iter().flatten().collect();
        let mut text = String::with_capacity(dump.len());
        for line in dump.split_inclusive('\n') {
            let _ = write!(text, "{}", of_loader(line, &names));
        }
        text
    }
}

/// Who makes what the migrations make: the owner of upfront's own tables, else of most in the schemas
/// that count, else the role that asks.
fn owner(owners: &[[String; 4]], own_schema: &str, project: &Project) -> Option<String> {
    let excluded = scope::excluded(project);
    let mut most: HashMap<&str, (bool, u64)> = HashMap::new();
    for [schema, owner, count, _] in owners {
        let is_own = schema == own_schema;
        if owner.is_empty() || !is_own && is_omitted(schema, project, &excluded) {
            continue;
        }
        let entry = most.entry(owner).or_default();
        *entry = (entry.0 || is_own, entry.1 + count.parse::<u64>().unwrap_or_default());
    }
    let all = most.into_iter();
    let most = all.max_by_key(|(owner, weight)| (*weight, std::cmp::Reverse(*owner)));
    let asking = || owners.first().map(|[.., role]| role.as_str());
    most.map(|(owner, _)| owner).or_else(asking).map(str::to_owned)
}

/// Whether a schema is out of scope.
fn is_omitted(schema: &str, project: &Project, excluded: &[Pattern]) -> bool {
    let is_own = || project.settings().is_ok_and(|it| it.own_schema() == schema);
    let others = || project.schemas().is_some_and(|all| !all.iter().any(|it| it == schema));
    !schema.is_empty()
        && (is_own()
            || excluded.iter().any(|it| it.names(ObjectKind::Schema, schema))
            || is_of_service(schema, project)
            || others())
}

fn is_of_service(schema: &str, project: &Project) -> bool {
    let schemas = project.preset().map(Preset::schemas).unwrap_or_default();
    schemas.iter().any(|it| it.names(ObjectKind::Schema, schema))
}

fn rows<const N: usize>(all: &[Vec<String>]) -> Vec<[String; N]> {
    all.iter().filter_map(|it| it.first_chunk().cloned()).collect()
}

/// One statement on one line, as `pg_dump` writes those about privileges.
fn of_loader(line: &str, names: &[String]) -> String {
    let starts = ["GRANT ", "REVOKE ", "ALTER DEFAULT PRIVILEGES "];
    // The schema `public` belongs to nobody who loads it.
    let is_public = line.contains(" ON SCHEMA public ");
    let is_of_other = line.contains(" FOR ROLE ")
        && !names.iter().any(|it| line.contains(&format!(" FOR ROLE {it} ")));
    if is_public || is_of_other || !starts.iter().any(|it| line.starts_with(it)) {
        return line.to_owned();
    }
    names.iter().fold(line.to_owned(), |line, name| {
        let line = line.replacen(&format!(" FOR ROLE {name} "), " FOR ROLE CURRENT_USER ", 1);
        [(" TO ", ";"), (" FROM ", ";"), (" TO ", " WITH GRANT OPTION;"), (" FROM ", " CASCADE;")]
            .iter()
            .fold(line, |line, (before, after)| {
                match line.trim_end().strip_suffix(&format!("{before}{name}{after}")) {
                    Some(start) => format!("{start}{before}CURRENT_USER{after}\n"),
                    None => line,
                }
            })
    })
}

/// Rows as texts.
async fn query(pool: &Pool, sql: &str) -> Result<Vec<Vec<String>>, Failure> {
    let failed = |err: &dyn std::fmt::Display| {
        Failure::new(Exit::Failed, format!("cannot ask the database for what it holds: {err}"))
    };
    let client = pool.get().await.map_err(|err| failed(&err))?;
    let rows = client.simple_query(sql).await.map_err(|err| match err.as_db_error() {
        Some(it) => failed(&it.message()),
        None => failed(&err),
    })?;
    let row = |it: &SimpleQueryMessage| match it {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect())
        }
        _ => None,
    };
    Ok(rows.iter().filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::LiveDatabase;

    #[test]
    fn privileges_of_the_owner_are_those_of_the_loader() {
        let check = |owner: &str, line: &str, expected: &str| {
            let found = LiveDatabase {
                left_out: Vec::new(),
                schemas: Vec::new(),
                tables: Vec::new(),
                attached: Vec::new(),
                owner: Some(owner.to_owned()),
            };
            assert_eq!(found.without_owner(&format!("{line}\n")), format!("{expected}\n"));
        };
        check(
            "app",
            "REVOKE ALL ON TABLE public.t FROM app;",
            "REVOKE ALL ON TABLE public.t FROM CURRENT_USER;",
        );
        check(
            "My app",
            "GRANT SELECT ON TABLE t TO \"My app\" WITH GRANT OPTION;",
            "GRANT SELECT ON TABLE t TO CURRENT_USER WITH GRANT OPTION;",
        );
        check(
            "app",
            "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA app GRANT SELECT ON TABLES  TO reader;",
            "ALTER DEFAULT PRIVILEGES FOR ROLE CURRENT_USER IN SCHEMA app GRANT SELECT ON TABLES  TO \
             reader;",
        );
        check("app2", "GRANT SELECT ON t TO app2;", "GRANT SELECT ON t TO CURRENT_USER;");
        check("app", "GRANT SELECT ON TABLE t TO app2;", "GRANT SELECT ON TABLE t TO app2;");
        let public = "GRANT ALL ON SCHEMA public TO app;";
        check("app", public, public);
        let of_other = "ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT SELECT ON TABLES TO app;";
        check("app", of_other, of_other);
        check("app", "CREATE POLICY p ON t TO app;", "CREATE POLICY p ON t TO app;");
    }
}
