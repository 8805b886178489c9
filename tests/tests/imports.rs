//! Which module of a crate imports which: one way, in layers, as ARCHITECTURE.md draws them.
//!
//! What is read is `use crate::…` and paths that begin with `crate::`. A name that the root of a
//! crate exports again stands for the module that defines it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The layers of the library, each of which may import itself and those before it.
const LAYERS: [&str; 17] = [
    "serde_duration",
    "plan::target",
    "event",
    "embedded",
    "plan",
    "report",
    "error",
    "migrations",
    "builder",
    "connection",
    "history",
    "execute",
    "status",
    "adopt",
    "dev",
    "migrator",
    "admin",
];

/// The crates. No module of one may import itself by way of others.
const ACYCLIC: [&str; 10] = [
    "src",
    "crates/upfront-build/src",
    "crates/upfront-cli/src",
    "crates/upfront-derive/src",
    "crates/upfront-directory/src",
    "crates/upfront-faults/src",
    "crates/upfront-model/src",
    "crates/upfront-redact/src",
    "crates/upfront-schema/src",
    "crates/upfront-scratch/src",
];

#[test]
fn no_module_imports_itself_by_way_of_others() {
    for root in ACYCLIC {
        let rings = Modules::read(&folder(root)).rings();
        assert!(rings.is_empty(), "{root}: {rings:#?}");
    }
}

#[test]
fn no_layer_imports_one_above_it() {
    let modules = Modules::read(&folder("src"));
    let upwards: Vec<_> = modules
        .imports
        .iter()
        .flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
        .filter(|(from, to)| layer(from) < layer(to))
        .collect();
    assert!(upwards.is_empty(), "{upwards:#?}");
    for name in LAYERS {
        assert!(modules.imports.keys().any(|it| is_within(it, name)), "no module is in {name}");
    }
}

/// The tests above would find nothing if imports were not read.
#[test]
fn reads_imports_of_every_form() {
    let text = "use crate::{a::{self, B}, c::D as E, f};\n/// use crate::no::NO;\nfn g() { \
                crate::h::i(); }\npub(crate) use crate::j::*;\n";
    let found: Vec<_> = paths(text).collect();
    for expected in ["a::self", "a::B", "c::D", "f", "j::*", "h::i"] {
        assert!(found.iter().any(|it| it == expected), "{expected}: {found:?}");
    }
    assert!(!found.iter().any(|it| it.contains("NO")), "{found:?}");
    let ring = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")];
    let mut modules = Modules::default();
    for (from, to) in ring {
        modules.imports.entry(from.into()).or_default().insert(to.into());
    }
    assert_eq!(modules.rings(), [BTreeSet::from(["b".to_owned(), "c".to_owned()])]);
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn is_within(module: &str, layer: &str) -> bool {
    module == layer || module.strip_prefix(layer).is_some_and(|it| it.starts_with("::"))
}

/// The most exact layer counts; what is in none is above all.
fn layer(module: &str) -> usize {
    let fits = LAYERS.iter().enumerate().filter(|(_, it)| is_within(module, it));
    fits.max_by_key(|(_, it)| it.len()).map_or(LAYERS.len(), |(at, _)| at)
}

/// The modules of a crate but its root, and what each imports.
#[derive(Default)]
struct Modules {
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl Modules {
    fn read(root: &Path) -> Self {
        let mut texts = BTreeMap::new();
        read_folder(root, "", &mut texts);
        assert!(!texts.is_empty(), "{} holds no module", root.display());
        let exports = exports(&texts);
        texts.remove("lib");
        let names: BTreeSet<_> = texts.keys().cloned().collect();
        let resolve = |path: &str| {
            let first = path.split("::").next().unwrap_or_default();
            let path = match exports.get(first).filter(|_| !names.contains(first)) {
                Some(module) => module,
                None => path,
            };
            let mut parts: Vec<_> = path.split("::").collect();
            while !parts.is_empty() && !names.contains(&parts.join("::")) {
                parts.pop();
            }
            (!parts.is_empty()).then(|| parts.join("::"))
        };
        let imports = texts.iter().map(|(name, text)| {
            let found = paths(text).filter_map(|it| resolve(&it)).filter(|it| it != name);
            (name.clone(), found.collect())
        });
        Self { imports: imports.collect() }
    }

    /// Modules that reach each other, ring by ring.
    fn rings(&self) -> Vec<BTreeSet<String>> {
        let reach: BTreeMap<_, _> = self.imports.keys().map(|it| (it, self.reach(it))).collect();
        let mut rings: Vec<BTreeSet<String>> = Vec::new();
        for (from, to) in &reach {
            let back = to.iter().filter(|it| reach.get(it).is_some_and(|it| it.contains(*from)));
            let ring: BTreeSet<_> = back.cloned().collect();
            if !ring.is_empty() && !rings.contains(&ring) {
                rings.push(ring);
            }
        }
        rings
    }

    fn reach(&self, from: &str) -> BTreeSet<String> {
        let (mut found, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            for it in self.imports.get(at).into_iter().flatten() {
                if found.insert(it.clone()) {
                    open.push(it);
                }
            }
        }
        found
    }
}

fn read_folder(folder: &Path, prefix: &str, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let stem = path.file_stem().and_then(|it| it.to_str()).expect("a name in UTF-8").to_owned();
        let name = format!("{prefix}{stem}");
        if path.is_dir() {
            read_folder(&path, &format!("{name}::"), texts);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let name = if stem == "mod" { prefix.trim_end_matches("::").into() } else { name };
            texts.insert(name, fs::read_to_string(&path).expect("a file in UTF-8"));
        }
    }
}

/// The names that the root exports, and the module of each.
fn exports(texts: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let Some(root) = texts.get("lib") else { return BTreeMap::new() };
    let statements = root.split(';').filter_map(|it| it.rsplit_once("pub use "));
    let paths = statements.flat_map(|(_, tree)| flat(tree));
    let module = |path: String| {
        let (module, name) = path.rsplit_once("::")?;
        Some((name.to_owned(), module.to_owned()))
    };
    paths.filter_map(module).collect()
}

/// What a file names by paths that begin with `crate::`, without that.
fn paths(text: &str) -> impl Iterator<Item = String> {
    let code: Vec<_> = text.lines().map(|it| it.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
    let starts: Vec<_> = code.match_indices("crate::").map(|(at, it)| at + it.len()).collect();
    starts.into_iter().flat_map(move |at| {
        let rest = &code[at..];
        let is_use = code[..at - "crate::".len()].trim_end().ends_with("use");
        let end = match is_use {
            true => rest.find(';').unwrap_or(rest.len()),
            false => rest
                .find(|it: char| !it.is_alphanumeric() && it != '_' && it != ':')
                .unwrap_or(rest.len()),
        };
        flat(&rest[..end])
    })
}

/// The paths of a tree such as `a::{b, c::{self, D as E}}`.
fn flat(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.split_whitespace().collect()];
    };
    let inner = inner.rsplit_once('}').map_or(inner, |(it, _)| it);
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, it) in inner.char_indices() {
        match it {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|it| !it.trim().is_empty());
    let prefix: String = prefix.split_whitespace().collect();
    parts.flat_map(flat).map(|it| format!("{prefix}{it}")).collect()
}
