//! Phrases that documentation, help, comments, errors and snapshots must not contain.
//!
//! `language/allowed.txt` lists what is left, by area. Its numbers may only fall:
//! `UPFRONT_LANGUAGE=write` rewrites it.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

/// As whole words, in any case.
const BANNED: [&str; 25] = [
    "settled",
    "nothing is said",
    "told",
    "tells",
    "by now",
    "anew",
    "at last",
    "way back",
    "goes on",
    "stand in",
    "stands in",
    "brings",
    "brought",
    "nobody can tell",
    "nobody could tell",
    "for whom",
    "of whom",
    "whoever",
    "what is to be",
    "hands",
    "is none",
    "are none",
    "as you like",
    "it is no",
    "in silence",
];

const ALLOWED: &str = "tests/tests/language/allowed.txt";

/// A text with the line of each of its characters; runs of blanks are one blank.
#[derive(Default)]
struct Text {
    letters: Vec<char>,
    lines: Vec<usize>,
}

impl Text {
    fn push(&mut self, letter: char, line: usize) {
        let letter = if letter.is_whitespace() { ' ' } else { letter.to_ascii_lowercase() };
        if letter != ' ' || self.letters.last() != Some(&' ') {
            self.letters.push(letter);
            self.lines.push(line);
        }
    }

    /// Ends a sentence: no phrase goes across.
    fn cut(&mut self, line: usize) {
        self.push('\u{1}', line);
    }

    /// The banned phrases, with their lines.
    fn banned(&self) -> Vec<(usize, &'static str)> {
        let mut found = Vec::new();
        for phrase in BANNED {
            let wanted: Vec<char> = phrase.chars().collect();
            for (at, window) in self.letters.windows(wanted.len()).enumerate() {
                if window == wanted && !self.is_allowed(phrase, at, at + wanted.len()) {
                    found.push((self.lines[at], phrase));
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// A part of a word, a key of JSON, or a phrase that goes on differently.
    fn is_allowed(&self, phrase: &str, start: usize, end: usize) -> bool {
        let before = start.checked_sub(1).and_then(|it| self.letters.get(it)).copied();
        let after = self.letters.get(end).copied();
        let is_word = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
        let is_key = before == Some('"') && after == Some('"') || before == Some('_');
        let rest: String = self.letters[end..].iter().take(7).collect();
        is_word(before) || is_word(after) || is_key || (phrase == "it is no" && rest == " longer")
    }
}

/// Markdown, or a snapshot.
fn prose(source: &str) -> Text {
    let mut text = Text::default();
    for (at, line) in source.lines().enumerate() {
        if line.trim().is_empty() {
            text.cut(at + 1);
        }
        line.chars().for_each(|it| text.push(it, at + 1));
        text.push(' ', at + 1);
    }
    text
}

/// The comments and the strings of a file of Rust.
fn rust(source: &str) -> Text {
    let letters: Vec<char> = source.chars().collect();
    let mut text = Text::default();
    let (mut at, mut line) = (0, 1);
    let next = |at: usize| letters.get(at + 1).copied();
    while at < letters.len() {
        match letters[at] {
            '\n' => line += 1,
            '/' if next(at) == Some('/') => {
                while at < letters.len() && letters[at] != '\n' {
                    if letters[at] != '/' && letters[at] != '!' {
                        text.push(letters[at], line);
                    }
                    at += 1;
                }
                text.push(' ', line);
                continue;
            }
            'r' if matches!(next(at), Some('"' | '#')) && !is_name(&letters, at) => {
                let hashes = letters[at + 1..].iter().take_while(|it| **it == '#').count();
                if letters.get(at + 1 + hashes) == Some(&'"') {
                    at += hashes + 2;
                    let is_end = |at: usize| {
                        letters[at] == '"'
                            && letters[at + 1..].iter().take_while(|it| **it == '#').count()
                                >= hashes
                    };
                    text.cut(line);
                    while at < letters.len() && !is_end(at) {
                        line += usize::from(letters[at] == '\n');
                        text.push(letters[at], line);
                        at += 1;
                    }
                    text.cut(line);
                    at += hashes;
                }
            }
            '"' => {
                at += 1;
                text.cut(line);
                while at < letters.len() && letters[at] != '"' {
                    line += usize::from(letters[at] == '\n');
                    if letters[at] == '\\' {
                        at += 1;
                        line += usize::from(letters.get(at) == Some(&'\n'));
                        text.push(' ', line);
                    } else {
                        text.push(letters[at], line);
                    }
                    at += 1;
                }
                text.cut(line);
            }
            '\'' if next(at) == Some('\\') => at += 2,
            '\'' if letters.get(at + 2) == Some(&'\'') => at += 2,
            it if !it.is_whitespace() => text.cut(line),
            _ => {}
        }
        at += 1;
    }
    text
}

/// Is the letter inside of a name?
fn is_name(letters: &[char], at: usize) -> bool {
    at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_')
}

/// All files that hold text for people, from the folder of the repository.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the repository") {
            let entry = entry.expect("an entry of a folder");
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let is_hidden = name.starts_with('.') && name != ".github";
            if path.is_dir() && !is_hidden && name != "target" && name != "fixtures" {
                folders.push(path);
            } else if path.is_file() {
                files.push(path.strip_prefix(root).expect("a file below the root").to_owned());
            }
        }
    }
    files.sort();
    files
}

/// The text of a file, if it is for people.
fn text(root: &Path, path: &Path) -> Option<Text> {
    let extension = path.extension()?.to_str()?;
    let is_test = path.components().any(|it| it.as_os_str() == "tests");
    let read = || fs::read_to_string(root.join(path)).ok();
    match extension {
        "md" | "snap" | "stderr" => Some(prose(&read()?)),
        "rs" if !is_test => Some(rust(&read()?)),
        _ => None,
    }
}

/// What owns a file: a crate, or a folder at the root.
fn area(path: &Path) -> String {
    let mut parts: Vec<_> = path.iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let depth = match parts[0].as_str() {
        "crates" | "examples" => 2,
        "docs" => parts.len(),
        "src" if parts[1] == "cli" => 2,
        _ => 1,
    };
    parts.truncate(depth);
    parts.join("/")
}

fn allowed(root: &Path) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root.join(ALLOWED)).expect(ALLOWED);
    let line = |it: &str| {
        let (count, area) = it.split_once(' ').expect("a number and an area");
        (area.to_owned(), count.parse().expect("a number"))
    };
    text.lines().filter(|it| !it.starts_with('#')).map(line).collect()
}

#[test]
fn texts_keep_to_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(&root) {
        let Some(text) = text(&root, &path) else { continue };
        if path.ends_with("tests/language.rs") {
            continue;
        }
        for (line, phrase) in text.banned() {
            let place = format!("{}:{line}: `{phrase}`", path.display());
            found.entry(area(&path)).or_default().push(place);
        }
    }
    if env::var("UPFRONT_LANGUAGE").is_ok_and(|it| it == "write") {
        let lines = found.iter().map(|(area, places)| format!("{} {area}\n", places.len()));
        let head =
            "# Banned phrases that are left, by area. The numbers may only fall.\n".to_owned();
        fs::write(root.join(ALLOWED), head + &lines.collect::<String>()).unwrap();
        return;
    }
    let allowed = allowed(&root);
    let mut wrong = Vec::new();
    for (area, places) in &found {
        let limit = allowed.get(area).copied().unwrap_or_default();
        if places.len() > limit {
            wrong.push(format!(
                "{area}: {}, allowed {limit}\n  {}",
                places.len(),
                places.join("\n  ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn finds_phrases_in_comments_and_strings_alone() {
    let check = |source: &str, expected: &[(usize, &str)]| {
        assert_eq!(rust(source).banned(), expected, "{source}");
    };
    check("/// Made\n/// anew.\nfn settled() {}", &[(2, "anew")]);
    check("// What nothing\n// is said of", &[(1, "nothing is said")]);
    check("let it = \"a\\\n    told b\";", &[(2, "told")]);
    check("let it = r#\"by \"now\" by now\"#;", &[(1, "by now")]);
    check("let it = '\"'; let told = 1; // it is no longer so", &[]);
    check("let it = \"it is no ORM\";", &[(1, "it is no")]);
}
