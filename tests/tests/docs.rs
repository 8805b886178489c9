//! What the documentation promises to cover.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The folder of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the repository.
fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The names of the files in a folder of the repository.
fn files(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).expect(folder);
    let name = |it: fs::DirEntry| it.file_name().into_string().expect("a name in UTF-8");
    entries.map(|it| name(it.expect(folder))).collect()
}

/// Does the file's name end so?
fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|it| it == extension)
}

/// The documents at the root and in `docs`.
fn documents() -> Vec<String> {
    let folders = ["", "docs/", "docs/errors/", "benches/", ".github/"];
    let pages = folders.into_iter().flat_map(|folder| {
        let names = files(if folder.is_empty() { "." } else { folder });
        names
            .into_iter()
            .filter(|it| has_extension(it, "md"))
            .map(move |it| format!("{folder}{it}"))
    });
    pages.collect()
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

#[test]
fn the_readme_has_at_most_200_lines() {
    assert!(read("README.md").lines().count() <= 200);
}

/// The names in the first column of the tables below a heading.
fn rows(page: &str, is_section: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut is_inside = false;
    let mut names = BTreeSet::new();
    for line in page.lines() {
        if line.starts_with("## ") {
            is_inside = is_section(line);
        }
        let name = line.strip_prefix("| `").and_then(|it| Some(it.split_once('`')?.0));
        names.extend(name.filter(|_| is_inside).map(str::to_owned));
    }
    names
}

#[test]
fn the_builder_reference_has_each_setter() {
    let source = read("src/builder.rs");
    let start = source.find("impl Builder {").expect("the builder has an `impl`");
    let end = start + source[start..].find("\n}\n").expect("the `impl` ends");
    let name = |line: &str| {
        let name = line.trim().strip_prefix("pub fn ")?;
        Some(name.split(['(', '<']).next()?.to_owned())
    };
    let setters: BTreeSet<_> = source[start..end].lines().filter_map(name).collect();
    let sections = ["Identity", "Roles", "Time", "What is accepted", "Observation"];
    let is_section = |line: &str| sections.iter().any(|it| line[3..].starts_with(it));
    assert_eq!(rows(&read("docs/builder.md"), is_section), setters);
}

/// The variants of an enum, as clap names them, without hidden ones.
fn verbs(source: &str, name: &str) -> BTreeSet<String> {
    let (_, rest) = source.split_once(&format!("enum {name} {{")).expect(name);
    let variants = rest.split_once("\n}").expect(name).0;
    let variant = |line: &str| {
        let name = line.trim().split_once('(')?.0;
        let is_name = name.chars().all(char::is_alphanumeric) && name != "Database";
        is_name.then(|| name.to_lowercase())
    };
    let shown = variants.split("#[command(hide = true)]\n").enumerate();
    let shown = shown.flat_map(|(at, part)| part.lines().skip(usize::from(at > 0)));
    shown.filter_map(variant).collect()
}

#[test]
fn the_page_of_the_command_has_each_verb() {
    let mut known = verbs(&read("crates/upfront-cli/src/args.rs"), "Command");
    known.extend(verbs(&read("src/cli/mod.rs"), "Verb"));
    assert!(known.contains("up") && known.contains("gen"), "{known:?}");
    let rows = rows(&read("docs/command.md"), |line| line == "## Verbs");
    let listed: BTreeSet<_> = rows.iter().filter_map(|it| it.split(' ').next()).collect();
    for verb in &known {
        assert!(listed.contains(verb.as_str()), "docs/command.md lacks `{verb}`");
    }
}

/// The strings of an array in a file of Rust.
fn array(source: &str, name: &str) -> BTreeSet<String> {
    let start = source.find(&format!("const {name}: ")).expect(name);
    let (_, list) = source[start..].split_once("= [").expect(name);
    let list = list.split_once(']').expect(name).0;
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The keys that a `match` of the parser accepts, in the function of a name.
fn keys(source: &str, function: &str) -> BTreeSet<String> {
    let start = source.find(&format!("fn {function}(")).expect(function);
    let end = start + source[start..].find("no_key(key").expect(function);
    let key = |line: &str| Some(line.trim().strip_prefix('"')?.split_once("\" =>")?.0.to_owned());
    source[start..end].lines().filter_map(key).collect()
}

#[test]
fn the_configuration_reference_has_each_key() {
    let folder = "crates/upfront-cli/src/config";
    let sources = files(folder).into_iter().filter(|it| has_extension(it, "rs"));
    let source: String = sources.map(|it| read(&format!("{folder}/{it}"))).collect();
    let page = read("docs/configuration.md");
    let section = |name: &str| rows(&page, |line| line == format!("## {name}"));
    let set = |keys: &[&str]| keys.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(section("Settings"), array(&source, "SETTINGS"));
    assert_eq!(section("`[env.NAME]`"), set(&["url", "protected"]));
    assert!(source.contains("unknown(key, &[\"url\", \"protected\"])"));
    assert_eq!(section("`[foreign]`"), keys(&source, "ignored"));
    assert_eq!(section("`[desired]`"), array(&source, "DESIRED"));
    assert_eq!(section("`[desired.models]`"), array(&source, "MODELS"));
    assert_eq!(section("`[gen]`"), keys(&source, "set_gen"));
    assert_eq!(section("`[scratch]`"), keys(&source, "set_scratch"));
}

/// The targets of the links in a text of Markdown, without those in code.
fn links(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut links = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code || line.starts_with("    ") {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let targets = prose.split("](").skip(1).filter_map(|it| Some(it.split_once(')')?.0));
        links.extend(targets.map(str::to_owned));
    }
    links
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|it| it.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_in_the_documentation_resolve() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = read(&document);
        let folder = Path::new(&document).parent().unwrap().to_owned();
        for link in links(&text) {
            if link.starts_with("http") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { PathBuf::from(&document) } else { folder.join(path) };
            let is_there = match anchor {
                "" => root().join(&target).exists(),
                anchor => fs::read_to_string(root().join(&target))
                    .is_ok_and(|it| anchors(&it).contains(anchor)),
            };
            if !is_there {
                broken.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
