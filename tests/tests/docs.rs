//! What the documentation promises to cover.

use std::{collections::BTreeSet, fs, path::Path};

/// A file of the repository.
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The names of the files in a folder of the repository.
fn files(folder: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let entries = fs::read_dir(path).unwrap();
    entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}

/// The names of all kinds of errors, as they are printed.
fn kinds() -> BTreeSet<String> {
    let source = read("src/error/kind.rs");
    let name =
        |line: &str| Some(line.trim().strip_prefix("Self::")?.split_once(" => \"")?.1.into());
    let names = source.lines().filter_map(name);
    names.map(|it: String| it.trim_end_matches("\",").to_owned()).collect()
}

#[test]
fn each_kind_of_error_has_a_page_and_a_row_in_the_index() {
    let kinds = kinds();
    assert!(kinds.contains("pending") && kinds.len() > 30, "{kinds:?}");
    let mut pages: BTreeSet<_> = kinds.iter().map(|it| format!("{it}.md")).collect();
    pages.insert("README.md".to_owned());
    assert_eq!(pages, files("docs/errors"));
    let index = read("docs/errors/README.md");
    for kind in &kinds {
        assert!(index.contains(&format!("| [{kind}]({kind}.md) |")), "the index lacks {kind}");
    }
}

/// `upfront explain` prints them in a terminal.
#[test]
fn pages_of_errors_have_one_form_and_fit_a_terminal() {
    for kind in kinds() {
        let page = read(&format!("docs/errors/{kind}.md"));
        assert!(page.starts_with(&format!("# {kind}\n\n")), "{kind}: its heading");
        for heading in ["## What happened", "## What to do", "## In code", "## Exit code"] {
            assert!(page.contains(heading), "{kind} lacks `{heading}`");
        }
        for line in page.lines() {
            assert!(line.chars().count() <= 100, "{kind}: too long: {line}");
            assert!(!line.contains("</") && !line.contains("<!--"), "{kind}: HTML: {line}");
        }
    }
}
