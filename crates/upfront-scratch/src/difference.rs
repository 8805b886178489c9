//! Whether two databases have one schema.

use std::collections::BTreeMap;

use similar::TextDiff;

use crate::database::Database;
use crate::dump::{dump, exact_pattern, in_caller_environment};
use crate::error::Result;

/// Names of objects that a comparison of schemas excludes.
///
/// ```
/// # fn main() -> Result<(), upfront_scratch::Error> {
/// use upfront_scratch::{Server, DiffFilter};
///
/// let server = Server::shared()?;
/// let (one, two) = (server.database()?, server.database()?);
/// one.execute("create table t (i int)")?;
/// two.execute("create schema extra; create table t (i int); create table history ()")?;
///
/// let difference = one.difference(&two.url(), &DiffFilter::default())?.expect("there is one");
/// assert!(difference.contains("+CREATE SCHEMA extra;"));
/// let without = DiffFilter { schemas: &["extra"], tables: &["history"] };
/// assert_eq!(one.difference(&two.url(), &without)?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DiffFilter<'a> {
    /// Schemas with all their objects.
    pub schemas: &'a [&'a str],
    /// Tables and sequences, in any schema.
    pub tables: &'a [&'a str],
}

impl DiffFilter<'_> {
    /// Options of `pg_dump`.
    fn options(&self) -> Vec<String> {
        let schemas = self.schemas.iter();
        let schemas = schemas.map(|it| format!("--exclude-schema={}", exact_pattern(it)));
        let tables = self.tables.iter();
        let tables = tables.map(|it| format!("--exclude-table=*.{}", exact_pattern(it)));
        schemas.chain(tables).chain(["--no-privileges".to_owned()]).collect()
    }
}

impl Database<'_> {
    /// Returns the difference between the schemas of two databases as a diff: `-` lines are only in
    /// this database, `+` lines only in the other. `None` if the schemas are the same.
    ///
    /// Both are dumped by `pg_dump --schema-only` and compared entry by entry, regardless of their
    /// order. Left out are owners and privileges, as they name roles, which differ
    /// from server to server; tablespaces, security labels and subscriptions, which belong to a
    /// server too; and all rows. The order of a table's columns counts.
    ///
    /// The other database's URL is read by libpq, with the `PG…` variables and the `.pgpass` of
    /// this process. A password in it does not appear in the list of processes.
    ///
    /// # Errors
    ///
    /// If there is no `pg_dump`, if it fails, for instance as the role may not read a table, or if
    /// the other server is of another major version, whose `pg_dump` writes other texts.
    pub fn difference(&self, other: &str, without: &DiffFilter<'_>) -> Result<Option<String>> {
        let ours = self.server().pg_dump();
        let theirs = in_caller_environment(&ours);
        let major = self.server().version().major();
        let options = without.options();
        let one = dump(ours, &self.url(), major, &options)?;
        let two = dump(theirs, other, major, &options)?;
        let text = diff(&entries(&one), &entries(&two));
        Ok((!text.is_empty()).then_some(text))
    }
}

/// The texts of a dump by kind and name.
///
/// An entry begins with three comment lines, of which the second names it.
fn entries(dump: &str) -> BTreeMap<String, Vec<String>> {
    let dump =
        dump.split("\n--\n-- PostgreSQL database dump complete\n").next().unwrap_or_default();
    let mut entries: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in dump.split("\n--\n-- Name: ").skip(1) {
        let (head, body) = entry.split_once("\n--\n").unwrap_or((entry, ""));
        let body = statements(body);
        if !body.is_empty() {
            entries.entry(title(head)).or_default().push(body);
        }
    }
    for it in entries.values_mut() {
        it.sort_unstable();
    }
    entries
}

/// The text without the settings for the next entry, which stand where it happens to come; nothing
/// where it is all comment.
fn statements(body: &str) -> String {
    let mut lines: Vec<_> = body.lines().collect();
    let is_between = |it: &str| it.is_empty() || it.starts_with("SET default_");
    while lines.pop_if(|it| is_between(it)).is_some() {}
    match lines.iter().all(|it| it.is_empty() || it.starts_with("--")) {
        true => String::new(),
        false => lines.join("\n").trim_start().to_owned() + "\n",
    }
}

/// `t; Type: TABLE; Schema: public; Owner: -` as `TABLE public.t`.
fn title(head: &str) -> String {
    let (name, rest) = head.split_once("; Type: ").unwrap_or((head, ""));
    let mut parts = rest.split("; ");
    let kind = parts.next().unwrap_or_default();
    match parts.find_map(|it| it.strip_prefix("Schema: ")).filter(|it| *it != "-") {
        Some(schema) => format!("{kind} {schema}.{name}"),
        None => format!("{kind} {name}"),
    }
}

fn diff(one: &BTreeMap<String, Vec<String>>, two: &BTreeMap<String, Vec<String>>) -> String {
    let text = |all: &BTreeMap<String, Vec<String>>, title: &String| {
        all.get(title).map(|it| it.concat()).unwrap_or_default()
    };
    let mut titles: Vec<_> = one.keys().chain(two.keys()).collect();
    titles.sort_unstable();
    titles.dedup();
    let mut parts = String::new();
    for title in titles {
        let (one, two) = (text(one, title), text(two, title));
        if one == two {
            continue;
        }
        parts.push_str(title);
        parts.push('\n');
        if title.starts_with("USER MAPPING ") {
            parts.push_str("(differs; not shown, as it may hold a password)\n");
            continue;
        }
        let lines = TextDiff::from_lines(&one, &two);
        parts.push_str(&lines.unified_diff().context_radius(3).to_string());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{entries, title};

    #[test]
    fn names_an_entry() {
        let check = |head, expected| assert_eq!(title(head), expected);
        check("t; Type: TABLE; Schema: public; Owner: -", "TABLE public.t");
        check("pg_trgm; Type: EXTENSION; Schema: -; Owner: -", "EXTENSION pg_trgm");
        check("f(a; b); Type: FUNCTION; Schema: s; Owner: -", "FUNCTION s.f(a; b)");
    }

    #[test]
    fn an_entry_has_its_own_lines_alone() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\nSET x = 1;\n\n--\n-- Name: s; Type: \
                    SCHEMA; Schema: -; Owner: -\n--\n\n-- *not* creating schema\n\n\n--\n-- Name: \
                    t; Type: TABLE; Schema: s; Owner: -\n--\n\nCREATE TABLE s.t ();\n\n\nSET \
                    default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n--\n-- \
                    Name: u; Type: TABLE; Schema: s; Owner: -\n--\n\nCREATE TABLE s.u ();\n\n\n--\n-- \
                    PostgreSQL database dump complete\n--\n\n";
        let entries: Vec<_> = entries(dump).into_iter().collect();
        let expected = [
            ("TABLE s.t".to_owned(), vec!["CREATE TABLE s.t ();\n".to_owned()]),
            ("TABLE s.u".to_owned(), vec!["CREATE TABLE s.u ();\n".to_owned()]),
        ];
        assert_eq!(entries, expected);
    }
}
