//! File names: what they say, and the order they give.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// What a file name says: `20261122101500_add_users.sql` is version `20261122101500`, name
/// `add_users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) version: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NameError {
    Hidden,
    /// `1_a.up.sql`, `1_a.down.sql`, which `upfront import` reads.
    Directional,
    /// `1.undo.a.sql`, `1-a-down.sql` and the like: a down script beside its up script.
    Undo,
    /// `U1__a.sql`, `R__a.sql`, `B1__a.sql`.
    Flyway(char),
    Unprintable,
    InSum,
    NoVersion,
    Duplicate {
        version: String,
        other: String,
    },
    Unpadded {
        other: String,
        padded: String,
    },
    Order {
        other: String,
    },
}

impl Name {
    /// The version goes to the first `_`, as in Atlas.
    pub(crate) fn of(file: &str) -> Result<Name, NameError> {
        let stem = file.strip_suffix(".sql").unwrap_or(file);
        if file.starts_with('.') {
            return Err(NameError::Hidden);
        }
        if file.chars().any(char::is_control) {
            return Err(NameError::Unprintable);
        }
        if file.contains("h1:") || file.trim() != file {
            return Err(NameError::InSum);
        }
        if [".up", ".down"].iter().any(|it| stem.to_ascii_lowercase().ends_with(it)) {
            return Err(NameError::Directional);
        }
        if let Some(letter) = flyway_letter(stem) {
            return Err(NameError::Flyway(letter));
        }
        if stem.split('.').any(is_direction) {
            return Err(NameError::Undo);
        }
        let (version, name) = stem.split_once('_').unwrap_or((stem, ""));
        if !version.bytes().any(|it| it.is_ascii_digit()) {
            return Err(NameError::NoVersion);
        }
        Ok(Name { version: version.to_owned(), name: name.to_owned() })
    }
}

/// The letter of a file that Flyway runs backwards, again or instead of others. Its `V` files are
/// migrations here too.
fn flyway_letter(stem: &str) -> Option<char> {
    let (number, _) = stem.split_once("__")?;
    let letter = number.chars().next().filter(|it| "URB".contains(*it))?;
    let number = &number[1..];
    let is_number = number.bytes().all(|it| it.is_ascii_digit() || b"._".contains(&it));
    (is_number && number.is_empty() == (letter == 'R')).then_some(letter)
}

/// A part of a file name that says in which direction the file leads, as Postgrator and yoyo have it.
fn is_direction(part: &str) -> bool {
    ["up", "down", "do", "undo", "revert", "rollback"]
        .iter()
        .any(|it| it.eq_ignore_ascii_case(part))
}

/// The down scripts among these file names that stand beside their up scripts: `1-a-down.sql` beside
/// `1-a-up.sql` or `1-a.sql`.
pub(crate) fn undo_files<'a>(
    files: impl Iterator<Item = &'a String> + Clone,
) -> impl Iterator<Item = &'a str> {
    const OPPOSITES: [(&str, &[&str]); 4] = [
        ("down", &["up", ""]),
        ("undo", &["do", "up", ""]),
        ("revert", &["deploy", "up", ""]),
        ("rollback", &["up", ""]),
    ];
    let all: HashSet<_> = files.clone().map(|it| it.to_ascii_lowercase()).collect();
    files.map(String::as_str).filter(move |file| {
        let file = file.to_ascii_lowercase();
        let stem = file.strip_suffix(".sql").unwrap_or(&file);
        OPPOSITES.iter().any(|(down, ups)| {
            let Some(rest) = stem.strip_suffix(down) else { return false };
            let up = |up: &&str| match *up {
                "" => format!("{}.sql", rest.trim_end_matches(['-', '_'])),
                it => format!("{rest}{it}.sql"),
            };
            rest.ends_with(['-', '_']) && ups.iter().any(|it| all.contains(&up(it)))
        })
    })
}

/// Whether Atlas would take it for a migration: letter case counts.
pub(crate) fn is_sql(file: &str) -> bool {
    file.as_bytes().ends_with(b".sql")
}

/// What is wrong with the order of these files, which are sorted by name, bytewise.
///
/// Files run in the order of their names, and revisions are compared by version: the two must
/// agree.
pub(crate) fn order(files: &[(&str, &Name)]) -> Vec<(String, NameError)> {
    let mut errors = duplicates(files);
    let unpadded = unpadded(files);
    if unpadded.is_empty() {
        errors.extend(disorder(files));
    }
    errors.extend(unpadded);
    errors
}

fn duplicates(files: &[(&str, &Name)]) -> Vec<(String, NameError)> {
    let mut first = BTreeMap::new();
    let mut errors = Vec::new();
    for (file, name) in files {
        match first.get(&name.version) {
            None => {
                first.insert(&name.version, *file);
            }
            Some(other) => {
                let error = NameError::Duplicate {
                    version: name.version.clone(),
                    other: (*other).to_owned(),
                };
                errors.push(((*file).to_owned(), error));
            }
        }
    }
    errors
}

/// Versions that differ in their numbers alone must be in the order of the numbers.
fn unpadded(files: &[(&str, &Name)]) -> Vec<(String, NameError)> {
    let mut last: BTreeMap<Vec<&str>, (Vec<String>, &str, &Name)> = BTreeMap::new();
    let mut errors = Vec::new();
    for (file, name) in files {
        let (frame, numbers) = numbers(&name.version);
        let numbers: Vec<_> = numbers.into_iter().map(sortable).collect();
        if let Some((before, other, longer)) = last.get(&frame)
            && *before > numbers
        {
            let padded = padded(file, name, longer);
            errors.push((
                (*file).to_owned(),
                NameError::Unpadded { other: (*other).to_owned(), padded },
            ));
        }
        last.insert(frame, (numbers, file, name));
    }
    errors
}

/// The texts between the numbers of a version, and the numbers.
fn numbers(version: &str) -> (Vec<&str>, Vec<&str>) {
    let is_digit = |it: char| it.is_ascii_digit();
    let texts = version.split(is_digit).filter(|it| !it.is_empty()).collect();
    let numbers = version.split(|it| !is_digit(it)).filter(|it| !it.is_empty()).collect();
    (texts, numbers)
}

/// A number as a text whose bytewise order is that of numbers: its length, then its digits.
fn sortable(number: &str) -> String {
    let digits = number.trim_start_matches('0');
    format!("{:08}{digits}", digits.len())
}

/// The name with the numbers of its version as wide as those of the other.
fn padded(file: &str, name: &Name, longer: &Name) -> String {
    let (frame, own) = numbers(&name.version);
    let widths = numbers(&longer.version).1;
    let starts_with_number = name.version.starts_with(|it: char| it.is_ascii_digit());
    let own =
        own.iter().zip(widths).map(|(it, other)| format!("{it:0>width$}", width = other.len()));
    let mut frame = frame.into_iter();
    let mut version = String::new();
    if !starts_with_number {
        version.extend(frame.next());
    }
    for number in own {
        version.push_str(&number);
        version.extend(frame.next());
    }
    format!("{version}{}", &file[name.version.len()..])
}

fn disorder(files: &[(&str, &Name)]) -> Vec<(String, NameError)> {
    let pairs = files.windows(2).filter(|pair| pair[0].1.version > pair[1].1.version);
    pairs
        .map(|pair| (pair[1].0.to_owned(), NameError::Order { other: pair[0].0.to_owned() }))
        .collect()
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Hidden => f.write_str("Atlas would run this hidden file"),
            NameError::Directional => {
                f.write_str("this file would run forward, as a separate migration")
            }
            NameError::Undo => f.write_str(
                "another tool uses this name for one direction, and the file would run forward, \
                 as a separate migration",
            ),
            NameError::Flyway('U') => f.write_str(
                "this is an undo migration of Flyway (or an unversioned one of refinery), and \
                 would \
                 run forward, before the `V` files",
            ),
            NameError::Flyway('R') => f.write_str(
                "this is a repeatable migration of Flyway, which upfront does not support",
            ),
            NameError::Flyway(_) => f.write_str(
                "this is a baseline migration of Flyway, and would run before the `V` files",
            ),
            NameError::Unprintable => f.write_str("the file name contains a control character"),
            NameError::InSum => f.write_str("`atlas.sum` cannot contain this file name"),
            NameError::NoVersion => f.write_str("this file name does not start with a version"),
            NameError::Duplicate { version, other } => {
                write!(f, "version {version} is also the version of `{other}`")
            }
            NameError::Unpadded { other, .. } => {
                write!(f, "this file runs after `{other}`, whose version is a greater number")
            }
            NameError::Order { other } => {
                write!(f, "this file runs after `{other}`, but its version sorts before")
            }
        }
    }
}

impl NameError {
    pub(crate) fn help(&self) -> Cow<'static, str> {
        let fixed = match self {
            NameError::Hidden => "delete it, or give it a name without the dot",
            NameError::Directional => {
                "down scripts belong in `down/`, under the name of their up script; `upfront \
                 import` converts the folder"
            }
            NameError::Undo => {
                "move the down script into `down/` under the name of its up script, and remove \
                 the direction from both names; `upfront import` converts only folders of sqlx \
                 and golang-migrate"
            }
            NameError::Flyway('U') => {
                "move it into `down/` under the name of its `V` file; `upfront import` converts \
                 only folders of sqlx and golang-migrate"
            }
            NameError::Flyway('R') => {
                "write its text as a versioned migration, and again whenever it changes; `upfront \
                 import` converts only folders of sqlx and golang-migrate"
            }
            NameError::Flyway(_) => {
                "give it the version that it represents, and write `-- atlas:checkpoint` on its \
                 first line; `upfront import` converts only folders of sqlx and golang-migrate"
            }
            NameError::Unprintable | NameError::InSum | NameError::NoVersion => {
                "name it `<version>_<name>.sql`, such as `20261122101500_add_users.sql`"
            }
            NameError::Duplicate { .. } => {
                "give the newer one a later version, then run `upfront hash`"
            }
            NameError::Unpadded { padded, .. } => {
                let one = "use versions of one width: rename it to";
                return format!("{one} `{padded}`, then run `upfront hash`").into();
            }
            NameError::Order { .. } => {
                "use versions of one form and width, such as `20261122101500`"
            }
        };
        fixed.into()
    }
}
