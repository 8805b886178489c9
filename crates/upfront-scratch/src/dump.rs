//! Schemas as `pg_dump` writes them.

use std::cmp::Reverse;
use std::process::Command;

use crate::account;
use crate::error::{Error, ErrorKind, Result};
use crate::install::{self, Install};
use crate::server::Server;
use crate::url;
use crate::version::Version;

impl Server {
    /// The schema of a database of another server as SQL, without owners, tablespaces, security
    /// labels and subscriptions; to be made again on this server.
    ///
    /// The URL is read as by [`Database::difference`](crate::Database::difference). `pg_dump` does
    /// not touch what the filter excludes, so no rights on it are needed.
    ///
    /// # Errors
    ///
    /// As [`Database::difference`](crate::Database::difference).
    pub fn schema_of(&self, other: &str, filter: &DumpFilter) -> Result<String> {
        let theirs = in_caller_environment(&self.pg_dump());
        let schemas = filter.schemas.iter();
        let schemas = schemas.map(|it| format!("--exclude-schema={}", exact_pattern(it)));
        let tables = filter.tables.iter();
        let tables = tables.map(|[schema, it]| {
            format!("--exclude-table={}.{}", exact_pattern(schema), exact_pattern(it))
        });
        let options: Vec<_> = schemas.chain(tables).collect();
        let text = dump(theirs, other, self.version().major(), &options)?;
        Ok(filter.apply(&text))
    }

    /// The schema of a database as `pg_dump --schema-only` writes it, to be compared: without the
    /// `\restrict` lines, whose key is a new one each time, and without options that begin with
    /// `pg_`, which servers set by themselves.
    ///
    /// # Errors
    ///
    /// If there is no `pg_dump`, or if it fails.
    pub fn schema(&self, database: &str) -> Result<String> {
        let mut dump = self.pg_dump();
        let text = account::output(dump.args(["--schema-only", "-d", &self.url(database)]))?;
        Ok(normalize(&text))
    }

    /// The `pg_dump` that fits servers of this major version best: of the same one if there is any,
    /// and of the newest minor version, which knows what an older one does not.
    pub(crate) fn pg_dump(&self) -> Command {
        let own = self.cluster("").ok().map(|it| it.install().clone());
        let all = install::installs().into_iter().chain(own);
        let reads =
            |it: &Install| it.version().major() >= self.version().major() && it.has("pg_dump");
        let fit = |it: &Install| (Reverse(it.version().major()), it.version().minor());
        match all.filter(reads).max_by_key(fit) {
            Some(it) => self.with_environment(it.tool("pg_dump")),
            None => self.bin("pg_dump"),
        }
    }
}

/// Names of objects that a dump excludes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpFilter {
    /// Schemas with all their objects.
    pub schemas: Vec<String>,
    /// Tables, views and sequences: schema and name.
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

/// The same program with the environment of this process.
pub(crate) fn in_caller_environment(ours: &Command) -> Command {
    let mut it = Command::new(ours.get_program());
    let kept = ["LC_ALL", "LD_LIBRARY_PATH", "PGCLIENTENCODING"];
    let envs = ours.get_envs().filter(|(name, _)| kept.iter().any(|it| name == it));
    it.envs(envs.filter_map(|(name, value)| Some((name, value?))));
    it
}

pub(crate) fn dump(
    mut pg_dump: Command,
    url: &str,
    major: u32,
    options: &[String],
) -> Result<String> {
    let (url, password) = url::without_password(url);
    pg_dump.args(["--schema-only", "--no-owner", "--no-tablespaces"]).args(options);
    pg_dump.args(["--no-security-labels", "--no-subscriptions", "--lock-wait-timeout=30s"]);
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
fn normalize(dump: &str) -> String {
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
pub(crate) fn exact_pattern(name: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::version_mismatch;
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
}
