//! File names: what they say, and the order they give.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// What a file name says: `20261122101500_add_users.sql` is version `20261122101500`, name
/// `add_users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) version: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    Hidden,
    Directional,
    Unprintable,
    InSum,
    NoVersion,
    Duplicate { version: String, other: String },
    Unpadded { other: String, padded: String },
    Order { other: String },
}

impl Name {
    /// The version goes to the first `_`, as in Atlas.
    pub(crate) fn of(file: &str) -> Result<Name, Mistake> {
        let stem = file.strip_suffix(".sql").unwrap_or(file);
        if file.starts_with('.') {
            return Err(Mistake::Hidden);
        }
        if file.chars().any(char::is_control) {
            return Err(Mistake::Unprintable);
        }
        if file.contains("h1:") || file.trim() != file {
            return Err(Mistake::InSum);
        }
        if [".up", ".down"].iter().any(|it| stem.to_ascii_lowercase().ends_with(it)) {
            return Err(Mistake::Directional);
        }
        let (version, name) = stem.split_once('_').unwrap_or((stem, ""));
        if !version.bytes().any(|it| it.is_ascii_digit()) {
            return Err(Mistake::NoVersion);
        }
        Ok(Name { version: version.to_owned(), name: name.to_owned() })
    }
}

/// Whether Atlas would take it for a migration: letter case counts.
pub(crate) fn is_sql(file: &str) -> bool {
    file.as_bytes().ends_with(b".sql")
}

/// What is wrong with the order of these files, which are sorted by name, bytewise.
///
/// Files run in the order of their names, and revisions are compared by version: the two must
/// agree.
pub(crate) fn order(files: &[(&str, &Name)]) -> Vec<(String, Mistake)> {
    let mut mistakes = duplicates(files);
    let unpadded = unpadded(files);
    if unpadded.is_empty() {
        mistakes.extend(disorder(files));
    }
    mistakes.extend(unpadded);
    mistakes
}

fn duplicates(files: &[(&str, &Name)]) -> Vec<(String, Mistake)> {
    let mut first = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (file, name) in files {
        match first.get(&name.version) {
            None => {
                first.insert(&name.version, *file);
            }
            Some(other) => {
                let mistake = Mistake::Duplicate {
                    version: name.version.clone(),
                    other: (*other).to_owned(),
                };
                mistakes.push(((*file).to_owned(), mistake));
            }
        }
    }
    mistakes
}

/// Versions that differ in their numbers alone must be in the order of the numbers.
fn unpadded(files: &[(&str, &Name)]) -> Vec<(String, Mistake)> {
    let mut last: BTreeMap<Vec<&str>, (Vec<String>, &str, &Name)> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (file, name) in files {
        let (frame, numbers) = numbers(&name.version);
        let numbers: Vec<_> = numbers.into_iter().map(sortable).collect();
        if let Some((before, other, longer)) = last.get(&frame)
            && *before > numbers
        {
            let padded = padded(file, name, longer);
            mistakes.push((
                (*file).to_owned(),
                Mistake::Unpadded { other: (*other).to_owned(), padded },
            ));
        }
        last.insert(frame, (numbers, file, name));
    }
    mistakes
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

fn disorder(files: &[(&str, &Name)]) -> Vec<(String, Mistake)> {
    let pairs = files.windows(2).filter(|pair| pair[0].1.version > pair[1].1.version);
    pairs
        .map(|pair| (pair[1].0.to_owned(), Mistake::Order { other: pair[0].0.to_owned() }))
        .collect()
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::Hidden => f.write_str("Atlas would run this hidden file"),
            Mistake::Directional => {
                f.write_str("this file would run forward, as a migration of its own")
            }
            Mistake::Unprintable => f.write_str("there is a control character in the file name"),
            Mistake::InSum => f.write_str("`atlas.sum` cannot hold this file name"),
            Mistake::NoVersion => f.write_str("this file name does not start with a version"),
            Mistake::Duplicate { version, other } => {
                write!(f, "version {version} is that of `{other}` too")
            }
            Mistake::Unpadded { other, .. } => {
                write!(f, "this file runs after `{other}`, whose version is the greater number")
            }
            Mistake::Order { other } => {
                write!(f, "this file runs after `{other}`, but its version sorts before")
            }
        }
    }
}

impl Mistake {
    pub(crate) fn help(&self) -> Cow<'static, str> {
        let fixed = match self {
            Mistake::Hidden => "delete it, or give it a name without the dot",
            Mistake::Directional => {
                "down sides live in `down/` under the name of their up side; `upfront import` \
                 converts the folder"
            }
            Mistake::Unprintable | Mistake::InSum | Mistake::NoVersion => {
                "name it `<version>_<name>.sql`, such as `20261122101500_add_users.sql`"
            }
            Mistake::Duplicate { .. } => {
                "give the newer one a later version, then run `upfront hash`"
            }
            Mistake::Unpadded { padded, .. } => {
                let one = "write versions with one width: rename it to";
                return format!("{one} `{padded}`, then run `upfront hash`").into();
            }
            Mistake::Order { .. } => {
                "write versions of one form and width, such as `20261122101500`"
            }
        };
        fixed.into()
    }
}
