//! Every mistake has a folder in `fixtures/`, and a snapshot of what is said about it.

use std::fs;
use std::path::{Path, PathBuf};

use upfront_directory::{Directory, Errors};

#[test]
fn every_mistake_has_its_message() {
    let mut folders: Vec<_> =
        fs::read_dir(fixtures()).unwrap().map(|it| it.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        insta::assert_snapshot!(name, said_about(Directory::read_as("migrations", folder)));
    }
}

#[test]
fn every_message_has_a_fixture() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    for snapshot in fs::read_dir(snapshots).unwrap() {
        let file = snapshot.unwrap().file_name().into_string().unwrap();
        let name = file.strip_prefix("mistakes__").and_then(|it| it.strip_suffix(".snap")).unwrap();
        assert!(fixtures().join(name).is_dir(), "the snapshot `{file}` has no fixture");
    }
}

#[test]
fn says_where_a_missing_folder_should_be() {
    let missing = "there is no such folder
  help: create it, or correct the path; `upfront new NAME` writes the first migration";
    let found = said_about(Directory::read("no/such/folder"));
    assert_eq!(found, format!("no/such/folder: {missing}"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let found = said_about(Directory::read_as("migrations", file));
    assert_eq!(found, format!("migrations: {missing}"));
}

#[test]
fn a_draft_may_be_ahead_of_its_sum() {
    let check = |fixture: &str, settled: &[&str], expected: &str| {
        let settled = |it: &str| settled.contains(&it);
        let found = Directory::read_draft("migrations", fixtures().join(fixture), settled);
        assert_eq!(said_about(found), expected, "{fixture}");
    };
    let draft = |it: &str| {
        let help =
            "run `upfront hash` (or `atlas migrate hash`) before the migrations are committed";
        format!("warning: migrations/{it} since this file was written\n  help: {help}")
    };
    let all = ["1_a.sql", "2_b.sql", "3_c.sql"];
    check("sum-added", &all, &draft("atlas.sum:3: `2_b.sql` was added"));
    check("sum-edited", &["1_a.sql"], &draft("atlas.sum:3: `2_b.sql` was edited"));
    check("sum-removed", &["1_a.sql"], &draft("atlas.sum:3: `2_b.sql` was removed"));
    check("down-sum-edited", &all, &draft("down/atlas.sum:2: `2_b.sql` was edited"));
    let as_ever =
        |fixture: &str| said_about(Directory::read_as("migrations", fixtures().join(fixture)));
    check("sum-edited", &all, &as_ever("sum-edited"));
    check("down-sum-edited", &["down/2_b.sql"], &as_ever("down-sum-edited"));
    check("sum-conflict", &[], &as_ever("sum-conflict"));
}

/// What cannot be kept in a repository, or not on every system.
#[test]
fn refuses_file_names_that_no_fixture_can_have() {
    let check = |files: &[&str]| {
        let files = files.iter().map(|it| ((*it).to_owned(), Vec::new()));
        said_about(Directory::from_files("migrations", files))
    };
    insta::assert_snapshot!(check(&["1_a\n.sql", "2_h1:b.sql", " 3_c.sql"]), @r"
    migrations/ 3_c.sql: `atlas.sum` cannot hold this file name
      help: name it `<version>_<name>.sql`, such as `20261122101500_add_users.sql`
    migrations/1_a\n.sql: there is a control character in the file name
      help: name it `<version>_<name>.sql`, such as `20261122101500_add_users.sql`
    migrations/2_h1:b.sql: `atlas.sum` cannot hold this file name
      help: name it `<version>_<name>.sql`, such as `20261122101500_add_users.sql`
    ");
    insta::assert_snapshot!(check(&["V1_a.sql", "v1_A.sql"]), @r"
    warning: migrations/v1_A.sql: this file and `V1_a.sql` are one file where case does not matter
      help: rename one of them
    warning: migrations: there is no `atlas.sum` in this folder
      help: `upfront hash` (or `atlas migrate hash`) writes it
    ");
}

#[test]
fn an_error_knows_its_place() {
    let files = [("1_a.sql".to_owned(), b"SELECT 1;\n SELECT '\xC3\xA9', COMMIT\\;".to_vec())];
    let errors = Directory::from_files("db/", files).unwrap_err();
    let places: Vec<_> = errors.iter().map(|it| (it.file(), it.line(), it.column())).collect();
    assert_eq!(places, [("db/1_a.sql", Some(2), Some(20))]);
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn said_about(read: Result<Directory, Errors>) -> String {
    match read {
        Err(errors) => errors.to_string(),
        Ok(directory) => {
            let warnings = directory.warnings().iter().map(|it| format!("warning: {it}"));
            warnings.collect::<Vec<_>>().join("\n")
        }
    }
}
