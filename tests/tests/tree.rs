//! What a service pays for upfront in dependencies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeSet, process::Command};

/// The crates below a package, by name and version.
fn tree(package: &str, edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", package, "--edges", edges])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
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
