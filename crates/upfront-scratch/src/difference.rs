//! Whether two databases have one schema.

use std::collections::BTreeMap;
use std::process::Command;

use similar::TextDiff;

use crate::account;
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::install::Version;
use crate::server::Server;
use crate::url;

/// What a comparison of two schemas leaves out: exact names.
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
    /// With all that is in them.
    pub schemas: &'a [&'a str],
    /// In whatever schema; sequences too.
    pub tables: &'a [&'a str],
}

impl Database<'_> {
    /// How the schema of another database differs from this one's, as a diff: with `-` what only
    /// this one has, with `+` what only the other has. `None` where they are the same.
    ///
    /// Both are dumped by `pg_dump --schema-only` and compared entry by entry, in whatever order
    /// the entries came to be. Left out are owners and privileges, as they name roles, which differ
    /// from server to server; tablespaces, security labels and subscriptions, which belong to a
    /// server too; and all rows. The order of a table's columns counts.
    ///
    /// The other database's URL is read by libpq, together with the `PG…` variables and the
    /// `.pgpass` of whoever runs us. A password in it is not seen in the list of processes.
    ///
    /// # Errors
    ///
    /// If there is no `pg_dump`, if it fails, for instance as the role may not read a table, or if
    /// the other server is of another major version, whose `pg_dump` writes other texts.
    pub fn difference(&self, other: &str, without: &DiffFilter<'_>) -> Result<Option<String>> {
        let ours = self.server().pg_dump();
        let theirs = in_caller_environment(&ours);
        let major = self.server().version().major();
        let more = ["--no-privileges"];
        let one = dump(ours, &self.url(), without, major, &more)?;
        let two = dump(theirs, other, without, major, &more)?;
        let text = diff(&entries(&one), &entries(&two));
        Ok((!text.is_empty()).then_some(text))
    }
}

impl Server {
    /// The schema of a database of another server as SQL, without owners, tablespaces, security
    /// labels and subscriptions; to be made again on this server.
    ///
    /// The URL is read as by [`Database::difference`]. `pg_dump` does not touch what the filter
    /// excludes, so no rights on it are needed.
    ///
    /// # Errors
    ///
    /// As [`Database::difference`].
    pub fn schema_of(&self, other: &str, filter: &DumpFilter) -> Result<String> {
        let theirs = in_caller_environment(&self.pg_dump());
        let schemas = filter.schemas.iter();
        let schemas = schemas.map(|it| format!("--exclude-schema={}", exact_pattern(it)));
        let tables = filter.tables.iter();
        let tables = tables.map(|[schema, it]| {
            format!("--exclude-table={}.{}", exact_pattern(schema), exact_pattern(it))
        });
        let more: Vec<_> = schemas.chain(tables).collect();
        let more: Vec<_> = more.iter().map(String::as_str).collect();
        let text = dump(theirs, other, &DiffFilter::default(), self.version().major(), &more)?;
        Ok(filter.apply(&text))
    }
}

/// What a dump leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpFilter {
    /// With all that is in them.
    pub schemas: Vec<String>,
    /// Schema and name; views and sequences too.
    pub tables: Vec<[String; 2]>,
}

impl DumpFilter {
    /// A dump without the entries in these schemas: `pg_dump` writes privileges on members of
    /// extensions wherever they are.
    fn apply(&self, dump: &str) -> String {
        const ENTRY: &str = "\n--\n-- Name: ";
        let is_in = |entry: &str| {
            let head = entry.lines().next().unwrap_or_default();
            self.schemas.iter().any(|it| head.contains(&format!("; Schema: {it}; Owner: ")))
        };
        let mut entries = dump.split(ENTRY);
        let mut text = entries.next().unwrap_or_default().to_owned();
        for entry in entries {
            match is_in(entry) {
                // Settings for what comes next are written behind the entry before it.
                true => text.extend(
                    entry
                        .lines()
                        .filter(|it| it.starts_with("SET default_"))
                        .flat_map(|it| [it, "\n"]),
                ),
                false => text.extend([ENTRY, entry]),
            }
        }
        text
    }
}

/// The same program with the environment of whoever runs us.
fn in_caller_environment(ours: &Command) -> Command {
    let mut it = Command::new(ours.get_program());
    let kept = ["LC_ALL", "LD_LIBRARY_PATH", "PGCLIENTENCODING"];
    let envs = ours.get_envs().filter(|(name, _)| kept.iter().any(|it| name == it));
    it.envs(envs.filter_map(|(name, value)| Some((name, value?))));
    it
}

fn dump(
    mut pg_dump: Command,
    url: &str,
    without: &DiffFilter<'_>,
    major: u32,
    more: &[&str],
) -> Result<String> {
    let (url, password) = url::without_password(url);
    pg_dump.args(["--schema-only", "--no-owner", "--no-tablespaces"]).args(more);
    pg_dump.args(["--no-security-labels", "--no-subscriptions", "--lock-wait-timeout=30s"]);
    let schemas = without.schemas.iter();
    pg_dump.args(schemas.map(|it| format!("--exclude-schema={}", exact_pattern(it))));
    let tables = without.tables.iter();
    pg_dump.args(tables.map(|it| format!("--exclude-table=*.{}", exact_pattern(it))));
    pg_dump.args(["--dbname", &url]);
    pg_dump.envs(password.map(|it| ("PGPASSWORD", it)));
    let text = account::output(&mut pg_dump).map_err(|err| version_mismatch(err, major))?;
    match version(&text, "-- Dumped from database version ") {
        Some(it) if it.major() != major => {
            Err(ErrorKind::MajorMismatch { major, other: it }.into())
        }
        _ => Ok(normalize(&text)),
    }
}

/// A dump without what differs between any two: the `\restrict` lines, whose key is a new one each
/// time, and what servers set by themselves.
pub(crate) fn normalize(dump: &str) -> String {
    let lines = dump.split_inclusive('\n');
    let restrict = ["\\restrict ", "\\unrestrict "];
    let mut text: String =
        lines.filter(|line| !restrict.iter().any(|it| line.starts_with(it))).collect();
    for it in upfront_directory::internal_options(&text).into_iter().rev() {
        text.replace_range(it, "");
    }
    text
}

/// A name as a pattern that fits it alone.
fn exact_pattern(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What `pg_dump` says of a server newer than itself.
fn version_mismatch(err: Error, major: u32) -> Error {
    let ErrorKind::Failed { output, .. } = err.kind() else { return err };
    // The second is that of version 14.
    let other = ["detail: server version: ", "error: server version: ", "server version: "];
    match other.iter().find_map(|it| version(output, &format!("pg_dump: {it}"))) {
        Some(other) => ErrorKind::MajorMismatch { major, other }.into(),
        None => err,
    }
}

/// The version behind these words at the start of a line.
fn version(text: &str, words: &str) -> Option<Version> {
    let rest = text.lines().find_map(|it| it.strip_prefix(words))?;
    Version::parse(rest.split(';').next()?.trim())
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
    use super::{entries, title, version_mismatch};
    use crate::error::{Error, ErrorKind};

    #[test]
    fn a_newer_server_is_told_by_every_pg_dump() {
        for output in [
            "pg_dump: error: server version: 18.6; pg_dump version: 14.23\npg_dump: error: aborting \
             because of server version mismatch",
            "pg_dump: error: aborting because of server version mismatch\npg_dump: detail: server \
             version: 18.6; pg_dump version: 15.18",
        ] {
            let failed = ErrorKind::Failed { tool: "pg_dump".into(), output: output.into() };
            assert!(version_mismatch(Error::from(failed), 14).is_major_mismatch(), "{output}");
        }
    }

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
