//! What is asked of a database whose schema is compared, besides the schema.

use std::fmt::Write;

use deadpool_postgres::Pool;
use tokio_postgres::SimpleQueryMessage;
use upfront::cli::{Exit, Output};

use crate::{failure::Failure, project::Project};

/// What `pg_dump` leaves out.
const LEFT_OUT: &str = "
SELECT 'subscription', s.subname::text, 'subscription ' || s.subname FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
UNION ALL SELECT 'security label', i.identity, 'security label on ' || i.type || ' ' || i.identity
FROM pg_catalog.pg_seclabel l
CROSS JOIN LATERAL pg_catalog.pg_identify_object(l.classoid, l.objoid, l.objsubid) i ORDER BY 3";

/// Who makes what the migrations make: the owner of upfront's own tables, else of the most.
const OWNER: &str = "
SELECT pg_catalog.pg_get_userbyid(c.relowner), count(*)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
GROUP BY 1 ORDER BY bool_or(n.nspname = $1) DESC, 2 DESC, 1 LIMIT 1";

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Kind, name and words of each.
    left_out: Vec<[String; 3]>,
    /// The role whose objects count as the default owner's.
    pub(crate) owner: Option<String>,
}

impl Found {
    /// Asks the database.
    pub(crate) async fn ask(pool: &Pool, project: &Project) -> Result<Self, Failure> {
        let settings = project.settings()?;
        let own = settings.own_schema().replace('\'', "''");
        let rows = query(pool, LEFT_OUT).await?;
        let left_out = rows.iter().filter_map(|it| it.first_chunk().cloned()).collect();
        let owners = query(pool, &OWNER.replace("$1", &format!("'{own}'"))).await?;
        let most = owners.into_iter().next().and_then(|it| it.into_iter().next());
        Ok(Self { left_out, owner: settings.role.or(most) })
    }

    /// Names what is not compared.
    pub(crate) fn warn(&self, project: &Project, output: &Output) {
        let is_news = |it: &&[String; 3]| {
            let excluded = project.exclude().iter();
            !excluded.into_iter().any(|pattern| pattern.names(&it[0], &it[1]))
        };
        for [.., words] in self.left_out.iter().filter(is_news) {
            output.warning(&format!("{words} of the database is not compared"));
        }
    }

    /// The text of a dump without owners, in which privileges of the default owner are those of
    /// whoever loads it.
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

/// One statement on one line, as `pg_dump` writes those about privileges.
fn of_loader(line: &str, names: &[String]) -> String {
    let starts = ["GRANT ", "REVOKE ", "ALTER DEFAULT PRIVILEGES "];
    if !starts.iter().any(|it| line.starts_with(it)) {
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
    use super::Found;

    #[test]
    fn privileges_of_the_owner_are_those_of_the_loader() {
        let check = |owner: &str, line: &str, expected: &str| {
            let found = Found { left_out: Vec::new(), owner: Some(owner.to_owned()) };
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
        check("app", "CREATE POLICY p ON t TO app;", "CREATE POLICY p ON t TO app;");
    }
}
