//! What a folder of sqlx says, and the same as upfront has it:
//! <https://github.com/transact-rs/sqlx/blob/main/sqlx-core/src/migrate/source.rs>.

use std::collections::BTreeMap;

use upfront::cli::Exit;

use super::entry::{Entry, is_sql};
use crate::output::failure::{Failure, Note};

/// A file as it will be written.
#[derive(Debug)]
pub(super) struct Converted {
    /// The file in the source.
    pub(super) original: String,
    /// The bytes of that file.
    pub(super) source: Vec<u8>,
    /// The file in the target, `down/` before a down side.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    /// By how many lines the text moved down.
    pub(super) added: u32,
}

/// What a file's name says.
struct Name<'a> {
    version: i64,
    /// What follows the version, without `.sql`.
    title: &'a str,
    is_down: bool,
}

/// The files of all migrations, and the names of those that sqlx passes over; or everything that
/// cannot be carried over.
pub(super) fn convert(
    label: &str,
    entries: &[Entry],
) -> Result<(Vec<Converted>, Vec<String>), Failure> {
    let (mut files, mut passed_over, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    for it in entries.iter().filter(|it| is_sql(&it.name)) {
        let Some(bytes) = &it.bytes else { continue };
        match it.name.split_once('_') {
            None => passed_over.push(it.name.clone()),
            Some((version, rest)) => match name(version, rest) {
                Some(name) => files.push((it, name, bytes)),
                None => mistakes.push(
                    Note::new("this name does not begin with a number that sqlx takes")
                        .place(&format!("{label}/{}", it.name), None, None, None)
                        .help("name it `<version>_<name>.sql`, or move it out of this folder"),
                ),
            },
        }
    }
    let names: Vec<_> = files.iter().map(|(entry, name, _)| (entry.name.as_str(), name)).collect();
    mistakes.extend(clashes(label, &names));
    if !mistakes.is_empty() {
        return Err(Failure::of(Exit::Mistaken, mistakes));
    }
    let width = names.iter().map(|(_, it)| it.version.to_string().len()).max().unwrap_or_default();
    // The longest as it is written: `0001` stays `0001`.
    let written = files.iter().filter_map(|(it, _, _)| it.name.find('_')).max();
    let width = width.max(written.unwrap_or_default());
    let stems = stems(&names, width);
    let converted = files.iter().map(|(entry, name, source)| {
        let (bytes, added) = body(source);
        let file = format!("{}.sql", stems[&name.version]);
        Converted {
            original: entry.name.clone(),
            source: (*source).clone(),
            name: if name.is_down { format!("down/{file}") } else { file },
            bytes,
            added,
        }
    });
    Ok((converted.collect(), passed_over))
}

fn name<'a>(version: &str, rest: &'a str) -> Option<Name<'a>> {
    let version = version.parse().ok().filter(|it| *it >= 0)?;
    let stem = rest.strip_suffix(".sql")?;
    let (title, is_down) = match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
        (Some(it), _) => (it, false),
        (None, Some(it)) => (it, true),
        (None, None) => (stem, false),
    };
    Some(Name { version, title, is_down })
}

/// Two files for one direction of a version, and down sides alone.
fn clashes(label: &str, names: &[(&str, &Name<'_>)]) -> Vec<Note> {
    let mut first = BTreeMap::new();
    let mut notes = Vec::new();
    let at = |note: Note, file: &str| note.place(&format!("{label}/{file}"), None, None, None);
    for (file, it) in names {
        if let Some(other) = first.insert((it.version, it.is_down), *file) {
            let title = format!("this file and `{other}` have the same version");
            notes.push(at(Note::new(title).help("give one of them another version"), file));
        }
    }
    for (file, it) in names.iter().filter(|(_, it)| it.is_down) {
        if !first.contains_key(&(it.version, false)) {
            let note = Note::new("this down side has no up side");
            notes.push(at(note.help("bring its `.up.sql` back, or delete it"), file));
        }
    }
    notes
}

/// What stands before `.sql`, by version: a down side is called like its up side.
fn stems(names: &[(&str, &Name<'_>)], width: usize) -> BTreeMap<i64, String> {
    let ups = names.iter().filter(|(_, it)| !it.is_down);
    ups.map(|(_, it)| (it.version, format!("{:0width$}_{}", it.version, it.title))).collect()
}

/// The text with sqlx's mark turned into Atlas's, and by how many lines the rest moved.
fn body(source: &[u8]) -> (Vec<u8>, u32) {
    let Some(rest) = source.strip_prefix(b"-- no-transaction") else {
        return (source.to_vec(), 0);
    };
    let end = rest.iter().position(|it| *it == b'\n').map_or(rest.len(), |it| it + 1);
    let (line, after) = rest.split_at(end);
    let header = b"-- atlas:txmode none\n\n".as_slice();
    // The rest of the line stays a comment.
    match line.trim_ascii().is_empty() {
        true => ([header, after].concat(), 1),
        false => ([header, b"--", rest].concat(), 2),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::entry::Entry, convert};

    #[test]
    fn converts_names_and_marks() {
        check(&[("1_a.sql", "x")], &[("1_a.sql", "x")]);
        check(&[("9_a.sql", ""), ("10_b.sql", "")], &[("09_a.sql", ""), ("10_b.sql", "")]);
        check(&[("0001_a.sql", ""), ("2_b.sql", "")], &[("0001_a.sql", ""), ("0002_b.sql", "")]);
        check(
            &[("1_a.up.sql", "u"), ("1_a.down.sql", "d")],
            &[("1_a.sql", "u"), ("down/1_a.sql", "d")],
        );
        check(
            &[("1_a.up.sql", ""), ("1_other.down.sql", "")],
            &[("1_a.sql", ""), ("down/1_a.sql", "")],
        );
        let marked = "-- no-transaction\nVACUUM;\n";
        check(&[("1_a.sql", marked)], &[("1_a.sql", "-- atlas:txmode none\n\nVACUUM;\n")]);
        let more = "-- no-transaction: vacuum\nVACUUM;";
        let kept = "-- atlas:txmode none\n\n--: vacuum\nVACUUM;";
        check(&[("1_a.sql", more)], &[("1_a.sql", kept)]);
        check(&[("1_a.sql", "\n-- no-transaction\n")], &[("1_a.sql", "\n-- no-transaction\n")]);
        check(&[("1_a.sql", ""), ("seed.sql", "")], &[("1_a.sql", "")]);
    }

    fn check(files: &[(&str, &str)], expected: &[(&str, &str)]) {
        let entry = |it: &(&str, &str)| Entry { name: it.0.into(), bytes: Some(it.1.into()) };
        let entries: Vec<_> = files.iter().map(entry).collect();
        let (converted, _) = convert("source", &entries).unwrap();
        let found =
            converted.iter().map(|it| (it.name.as_str(), str::from_utf8(&it.bytes).unwrap()));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}
