//! `new`

use std::{fs, io::Write, path::PathBuf};

use jiff::{Timestamp, ToSpan, civil::DateTime, tz::TimeZone};
use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_directory::{Directory, write_sums};

use crate::{config::Project, output::failure::Failure};

/// Options of `new`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// What the migration does, such as `add_users`
    name: String,
    /// Write no down script
    #[arg(long, conflicts_with = "irreversible")]
    no_down: bool,
    /// Mark the migration as irreversible, for this reason
    #[arg(long, value_name = "REASON")]
    irreversible: Option<String>,
}

#[derive(Serialize)]
struct Migration {
    version: String,
    name: String,
    written: Vec<String>,
}

/// Neither can be used before it is filled: a script without a statement is refused.
const UP: &str = "-- Write what `upfront up` runs, in one transaction.\n\n";
const DOWN: &str = "-- Write what `upfront down` runs, in one transaction, to take the migration back.\n\
                    -- Nothing to undo? Write `-- upfront:nothing-to-undo REASON` instead.\n\n";
/// As Atlas writes versions.
const STAMP: &str = "%Y%m%d%H%M%S";

impl Arguments {
    /// Both scripts, as by default.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), no_down: false, irreversible: None }
    }

    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<(), Failure> {
        let name = name(&self.name)?;
        let header = self.header()?;
        let folder = project.folder()?;
        fs::create_dir_all(&folder.path).map_err(|err| cannot_write(&folder.label, &err))?;
        let directory = folder.read_allowing_empty()?;
        let version = version(&directory)?;
        let file = format!("{version}_{name}.sql");
        let mut written = Vec::new();
        for (file, text) in self.files(&file, &header) {
            let path = folder.path.join(&file);
            write(&path, &text).map_err(|err| cannot_write(&folder.shown(&path), &err))?;
            written.push(path);
        }
        written.extend(write_sums(&folder.path).map_err(|it| folder.mistakes(&it))?);
        let written: Vec<_> = written.iter().map(|it| folder.shown(it)).collect();
        let text = written.iter().map(|it| format!("wrote {it}")).collect::<Vec<_>>().join("\n");
        output.result(&Migration { version, name, written }, || {
            text + "\nfill in the SQL, then run `upfront hash`"
        });
        Ok(())
    }

    /// What stands at the head of the up side.
    fn header(&self) -> Result<String, Failure> {
        match self.irreversible.as_deref().map(str::trim) {
            None => Ok(String::new()),
            Some(it) if it.is_empty() || it.contains(['\n', '\r']) => {
                Err(Failure::mistake("the reason for `--irreversible` is one line of text"))
            }
            Some(it) => Ok(format!("-- upfront:irreversible {it}\n\n")),
        }
    }

    fn files(&self, file: &str, header: &str) -> Vec<(String, String)> {
        let up = (file.to_owned(), format!("{header}{UP}"));
        match self.no_down || self.irreversible.is_some() {
            true => vec![up],
            false => vec![up, (format!("down/{file}"), DOWN.to_owned())],
        }
    }
}

fn write(path: &PathBuf, text: &str) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

fn cannot_write(what: &str, err: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot write `{what}`: {err}"))
}

/// The name in a file's name: letters, digits and `_`; blanks and `-` become `_`.
pub(crate) fn name(given: &str) -> Result<String, Failure> {
    const LONGEST: usize = 100;
    let name: String =
        given.trim().chars().map(|it| if matches!(it, ' ' | '-') { '_' } else { it }).collect();
    let odd = name.chars().find(|it| !it.is_alphanumeric() && *it != '_');
    let title = match odd {
        Some(it) => format!("a migration's name cannot hold {it:?}"),
        None if name.trim_matches('_').is_empty() => "a migration's name cannot be empty".into(),
        None if name.len() > LONGEST => {
            format!("a migration's name cannot be longer than {LONGEST} bytes")
        }
        None => return Ok(name),
    };
    Err(Failure::mistake(title).help("name what it does, such as `add_users`"))
}

/// A version after the last one: the time, or one more where the clock is behind or where the
/// folder counts.
pub(crate) fn version(directory: &Directory) -> Result<String, Failure> {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::UTC).strftime(STAMP).to_string();
    let Some(last) = directory.migrations().last() else { return Ok(now) };
    let last = last.version.as_str();
    let next = match last.len() {
        14 if last < now.as_str() => Some(now),
        14 => second_after(last).or_else(|| one_more(last)),
        _ => one_more(last),
    };
    next.ok_or_else(|| {
        Failure::mistake(format!("cannot tell which version comes after `{last}`"))
            .file(format!("{}/{}", directory.label(), file(directory)))
            .help("write the file by hand, with a version after it, and run `upfront hash`")
    })
}

/// The version after one: a second later, or one more.
pub(crate) fn after(version: &str) -> Option<String> {
    second_after(version).filter(|_| version.len() == 14).or_else(|| one_more(version))
}

fn file(directory: &Directory) -> &str {
    directory.migrations().last().map_or("", |it| it.file.as_str())
}

fn second_after(last: &str) -> Option<String> {
    let last = DateTime::strptime(STAMP, last).ok()?;
    Some(last.checked_add(1.second()).ok()?.strftime(STAMP).to_string())
}

/// The next number of the same width.
fn one_more(last: &str) -> Option<String> {
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    let next = format!("{next:0width$}", width = last.len());
    (next.len() == last.len() && last.bytes().all(|it| it.is_ascii_digit())).then_some(next)
}

#[cfg(test)]
mod tests {
    use upfront_directory::Directory;

    #[test]
    fn a_version_is_greater_than_the_last() {
        check("20991231235959", Some("21000101000000"));
        check("99991299999999", Some("99991300000000"));
        check("99999999999999", None);
        check("0007", Some("0008"));
        check("9", None);
        check("v1.2", None);
    }

    fn check(last: &str, expected: Option<&str>) {
        let files = [(format!("{last}_a.sql"), b"SELECT 1;\n".to_vec())];
        let directory = Directory::from_files("migrations", files).unwrap();
        let version = super::version(&directory).ok();
        assert_eq!(version.as_deref(), expected, "after {last}");
    }
}
