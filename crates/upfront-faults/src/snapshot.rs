//! What a database holds: its schema and rows without upfront's, and upfront's history.

use crate::{database::Connection, failure::Result};

/// A database's contents. Two of them are equal if psql and upfront did the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    schema: String,
    rows: String,
}

/// What upfront has recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    revisions: String,
    /// Each success as often as the log has it.
    log: String,
}

const PINNED: &str = "SET search_path = pg_catalog";

const SCHEMA: &str = "SELECT line FROM (
    SELECT format('schema %I', nspname) AS line FROM pg_namespace
     WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'upfront')
    UNION ALL
    SELECT format('relation %s %s %s %s %s', c.relkind, c.oid::regclass, c.relpersistence,
                  coalesce(pg_get_expr(c.relpartbound, c.oid), ''),
                  CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END)
      FROM pg_class c WHERE OURS
    UNION ALL
    SELECT format('column %s %s %I %s %s %s %s %s', c.oid::regclass,
                  rank() OVER (PARTITION BY c.oid ORDER BY attnum), attname,
                  format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
                  pg_get_expr(adbin, adrelid))
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = attnum
     WHERE attnum > 0 AND NOT attisdropped AND c.relkind <> 'i' AND OURS
    UNION ALL
    SELECT format('index %s valid %s ready %s live %s', pg_get_indexdef(indexrelid), indisvalid,
                  indisready, indislive)
      FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE OURS
    UNION ALL
    SELECT format('constraint %s %I %s %s', conrelid::regclass, conname,
                  pg_get_constraintdef(k.oid), convalidated)
      FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid WHERE OURS
    UNION ALL
    SELECT format('enum %s %s', enumtypid::regtype, string_agg(enumlabel, ', ' ORDER BY
                  enumsortorder)) FROM pg_enum GROUP BY enumtypid
    UNION ALL
    SELECT pg_get_functiondef(c.oid) FROM (SELECT oid, pronamespace AS relnamespace FROM pg_proc
     WHERE prokind IN ('f', 'p')) c WHERE OURS
    UNION ALL
    SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
     WHERE NOT tgisinternal AND OURS
    UNION ALL
    SELECT format('event trigger %s', evtname) FROM pg_event_trigger
    UNION ALL
    SELECT format('inherits %s %s %s', inhrelid::regclass, inhparent::regclass, inhdetachpending)
      FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE OURS
  ) lines ORDER BY line";

const OURS: &str = "c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND \
                    nspname NOT IN ('information_schema', 'upfront'))";

const TABLES: &str = "SELECT format('SELECT %L AS name, t::text AS line FROM ONLY %s t', \
                      c.oid::regclass, c.oid::regclass) FROM pg_class c WHERE relkind = 'r' AND OURS \
                      ORDER BY c.oid::regclass::text";

/// The server plans a union of many tables in quadratic time.
const AT_ONCE: usize = 50;

const REVISIONS: &str = "SELECT app, version, name, hash, chain, kind, breaking, checkpoint, \
                         md5(up_sql), md5(down_sql) FROM upfront.revisions ORDER BY 1, 2";

const LOG: &str = "SELECT app, version, direction, outcome, count(*) FROM upfront.log WHERE outcome \
                   <> 'failed' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";

impl Contents {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub(crate) async fn read(database: &Connection) -> Result<Self> {
        database.ask(PINNED).await?;
        let schema = database.ask(&SCHEMA.replace("OURS", OURS)).await?;
        let tables = database.ask(&TABLES.replace("OURS", OURS)).await?;
        let mut rows = String::new();
        for tables in tables.lines().collect::<Vec<_>>().chunks(AT_ONCE) {
            let all = format!("SELECT * FROM ({}) rows ORDER BY 1, 2", tables.join(" UNION ALL "));
            rows.push_str(&database.ask(&all).await?);
            rows.push('\n');
        }
        Ok(Self { schema, rows })
    }

    /// How it differs from what is expected; `None` if it does not.
    pub(crate) fn difference(&self, expected: &Self) -> Option<String> {
        let schema = self.schema_difference(expected);
        schema.or_else(|| difference(&self.rows, &expected.rows))
    }
}

impl Contents {
    /// How its schema alone differs from what is expected.
    pub(crate) fn schema_difference(&self, expected: &Self) -> Option<String> {
        difference(&self.schema, &expected.schema)
    }
}

impl History {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// The server refuses, or upfront's tables are missing.
    pub(crate) async fn read(database: &Connection) -> Result<Self> {
        Ok(Self { revisions: database.ask(REVISIONS).await?, log: database.ask(LOG).await? })
    }

    /// How it differs from what is expected; `None` if it does not.
    pub(crate) fn difference(&self, expected: &Self) -> Option<String> {
        let revisions = difference(&self.revisions, &expected.revisions);
        revisions.or_else(|| difference(&self.log, &expected.log))
    }

    /// The versions that are recorded.
    pub(crate) fn versions(&self) -> Vec<&str> {
        let main = self.revisions.lines().filter_map(|it| it.strip_prefix("main|"));
        main.filter_map(|it| it.split('|').next()).collect()
    }
}

/// Lines that only one of two texts has, however often.
fn difference(found: &str, expected: &str) -> Option<String> {
    let only = |one: &str, other: &str, sign: char| {
        let mut left: Vec<_> = other.lines().collect();
        let mut lines = Vec::new();
        for line in one.lines() {
            match left.iter().position(|it| *it == line) {
                Some(at) => drop(left.swap_remove(at)),
                None => lines.push(format!("{sign}{line}")),
            }
        }
        lines
    };
    let lines = [only(expected, found, '-'), only(found, expected, '+')].concat();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_line_more_is_a_difference() {
        assert_eq!(difference("a\nb", "b\na"), None);
        assert_eq!(difference("a\na", "a"), Some("+a".into()));
        assert_eq!(difference("a", "a\nb"), Some("-b".into()));
    }
}
