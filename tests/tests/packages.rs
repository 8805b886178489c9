//! The packages of the workspace: what they depend on, and what their manifests and files hold.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The crates below a package, by name and version.
fn tree(package: &str, edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", package, "--edges", edges])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let name = |it: &str| it.split(' ').take(2).collect::<Vec<_>>().join(" ");
    text.lines().map(name).collect()
}

#[test]
fn a_deadpool_service_grows_by_few_crates() {
    let before = &tree("deadpool-postgres", "normal") | &tree("tokio-postgres", "normal");
    let after = &tree("upfront", "normal") | &before;
    let added: Vec<_> = after.difference(&before).collect();
    assert!(added.len() <= 6, "{added:?}");
}

#[test]
fn the_build_helper_brings_no_async_runtime_and_no_c() {
    let tree = tree("upfront-build", "normal,build");
    let unwanted = |it: &&String| {
        let name = it.split(' ').next().unwrap();
        ["tokio", "async-std", "futures", "cc", "cmake", "bindgen", "pkg-config"].contains(&name)
            || name.ends_with("-sys")
    };
    let unwanted: Vec<_> = tree.iter().filter(unwanted).collect();
    assert!(unwanted.is_empty(), "{unwanted:?}");
}

/// The packages of the workspace, as `cargo metadata` lists them.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(format!("{ROOT}/Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn is_published(package: &Value) -> bool {
    package["publish"].is_null()
}

#[test]
fn only_upfront_and_its_crates_are_published() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let is_crate = package["manifest_path"].as_str().unwrap().contains("/crates/");
        let is_ours = name == "upfront" || is_crate;
        // The fault suite is for this repository alone.
        assert_eq!(is_published(&package), is_ours && name != "upfront-faults", "{name}");
    }
}

#[test]
fn published_packages_have_complete_manifests() {
    for package in packages().iter().filter(|it| is_published(it)) {
        let name = package["name"].as_str().unwrap();
        for field in
            ["description", "documentation", "license", "readme", "repository", "rust_version"]
        {
            assert!(package[field].is_string(), "{name} has no `{field}`");
        }
        assert!(!package["keywords"].as_array().unwrap().is_empty(), "{name} has no keywords");
        let is_library = package["targets"][0]["kind"][0] != "bin";
        let docs = &package["metadata"]["docs"]["rs"]["all-features"];
        assert_eq!(docs == true, is_library, "{name}: [package.metadata.docs.rs]");
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        for file in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
            assert!(folder.join(file).is_file(), "{name} has no {file}");
        }
    }
}

/// Names with spaces or quotes have to be quoted in every shell command.
#[test]
fn file_names_need_no_quotes() {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(ROOT).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
    let odd: Vec<_> = names.split('\0').filter(|it| !it.chars().all(is_plain)).collect();
    assert!(odd.is_empty(), "{odd:#?}");
}
