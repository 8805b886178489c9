//! Every mistake has a folder in `fixtures/`, and a snapshot of what is said about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use upfront_directory::{Directory, Errors, Sum};

/// What cannot be kept in a repository.
const MADE_BY_A_TEST: &str = "entries_that_are_no_files";

#[test]
fn every_fixture_has_its_message() {
    let mut folders: Vec<_> =
        fs::read_dir(fixtures()).unwrap().map(|it| it.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        insta::assert_snapshot!(name, report(Directory::read_as("migrations", folder)));
    }
}

#[test]
fn every_message_has_a_fixture() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    for snapshot in fs::read_dir(snapshots).unwrap() {
        let file = snapshot.unwrap().file_name().into_string().unwrap();
        let name = file.strip_prefix("errors__").and_then(|it| it.strip_suffix(".snap")).unwrap();
        if name == MADE_BY_A_TEST {
            continue;
        }
        assert!(fixtures().join(name).is_dir(), "the snapshot `{file}` has no fixture");
    }
}

#[test]
fn says_where_a_missing_folder_should_be() {
    let missing = "there is no such folder
  help: create it, or correct the path; `upfront new NAME` writes the first migration";
    let found = report(Directory::read("no/such/folder"));
    assert_eq!(found, format!("no/such/folder: {missing}"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let found = report(Directory::read_as("migrations", file));
    assert_eq!(found, format!("migrations: {missing}"));
}

#[test]
fn a_draft_may_be_ahead_of_its_sum() {
    let check = |fixture: &str, is_committed: &[&str], expected: &str| {
        let is_committed = |it: &str| is_committed.contains(&it);
        let found = Directory::read_draft("migrations", fixtures().join(fixture), is_committed);
        assert_eq!(report(found), expected, "{fixture}");
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
        |fixture: &str| report(Directory::read_as("migrations", fixtures().join(fixture)));
    check("sum-edited", &all, &as_ever("sum-edited"));
    check("down-sum-edited", &["down/2_b.sql"], &as_ever("down-sum-edited"));
    check("sum-conflict", &[], &as_ever("sum-conflict"));
}

/// What cannot be kept in a repository, or not on every system.
#[test]
fn refuses_file_names_that_no_fixture_can_have() {
    let check = |files: &[&str]| {
        let files = files.iter().map(|it| ((*it).to_owned(), b"SELECT 1;\n".to_vec()));
        report(Directory::from_files("migrations", files))
    };
    insta::assert_snapshot!(check(&["1_a\n.sql", "2_h1:b.sql", " 3_c.sql"]), @r"
    migrations/ 3_c.sql: `atlas.sum` cannot contain this file name
      help: name it `<version>_<name>.sql`, such as `20261122101500_add_users.sql`
    migrations/1_a\n.sql: the file name contains a control character
      help: name it `<version>_<name>.sql`, such as `20261122101500_add_users.sql`
    migrations/2_h1:b.sql: `atlas.sum` cannot contain this file name
      help: name it `<version>_<name>.sql`, such as `20261122101500_add_users.sql`
    ");
    insta::assert_snapshot!(check(&["V1_a.sql", "v1_A.sql"]), @r"
    warning: migrations/v1_A.sql: this file and `V1_a.sql` are the same file on a case-insensitive file system
      help: rename one of them
    warning: migrations: this folder has no `atlas.sum`
      help: `upfront hash` (or `atlas migrate hash`) writes it
    ");
}

/// None of them is opened: a named pipe would block for ever.
#[cfg(unix)]
#[test]
fn refuses_entries_that_are_no_files() {
    use std::{os::unix::fs::symlink, os::unix::net::UnixListener, process::Command};
    let place = tempfile::tempdir().unwrap();
    let in_place = |name: &str| place.path().join(name);
    let pipe = |name: &str| Command::new("mkfifo").arg(in_place(name)).status().unwrap();
    fs::create_dir_all(in_place("2_folder.sql")).unwrap();
    fs::create_dir_all(in_place("down/2_folder.sql")).unwrap();
    fs::create_dir_all(in_place("down/atlas.sum")).unwrap();
    fs::create_dir_all(in_place("target.sql.d")).unwrap();
    fs::write(in_place("1_a.sql"), "SELECT 1;\n").unwrap();
    assert!(pipe("3_pipe.sql").success() && pipe("down/3_pipe.sql").success());
    assert!(pipe("atlas.sum").success() && pipe("notes").success());
    let _socket = UnixListener::bind(in_place("4_socket.sql")).unwrap();
    symlink("/dev/null", in_place("5_device.sql")).unwrap();
    symlink("nowhere.sql", in_place("6_dangling.sql")).unwrap();
    symlink("nowhere.sql", in_place("down/6_dangling.sql")).unwrap();
    symlink("7_loop.sql", in_place("7_loop.sql")).unwrap();
    symlink("target.sql.d", in_place("8_folder.sql")).unwrap();
    symlink("1_a.sql", in_place("9_fine.sql")).unwrap();
    symlink("nowhere", in_place("README")).unwrap();
    insta::assert_snapshot!(MADE_BY_A_TEST, report(Directory::read_as("migrations", place.path())));
    let down = tempfile::tempdir().unwrap();
    fs::write(down.path().join("1_a.sql"), "SELECT 1;\n").unwrap();
    for (make, expected) in [
        ("mkfifo down", "migrations/down: this is not a folder"),
        ("touch down", "migrations/down: this is not a folder"),
        ("ln -s nowhere down", "migrations/down: this symbolic link is broken"),
    ] {
        let made = Command::new("sh").args(["-c", make]).current_dir(down.path()).status();
        assert!(made.unwrap().success());
        let found = report(Directory::read_as("migrations", down.path()));
        assert_eq!(found.lines().next(), Some(expected));
        fs::remove_file(down.path().join("down")).unwrap();
    }
}

/// The CPU time of this thread, on Linux: wall time means nothing on a machine under load.
fn busy() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Quadratic, it took a minute; linear, it takes a second, and less in a release build.
#[test]
fn reads_many_files_in_linear_time() {
    let files = |count: usize| {
        let sum = |files: &[(String, Vec<u8>)]| {
            Sum::of(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).to_string()
        };
        let file =
            |it| (format!("{it:06}_a.sql"), format!("CREATE TABLE t{it} ();\n").into_bytes());
        let mut files: Vec<_> = (0..count).map(file).collect();
        let sum = sum(&files);
        files.push(("atlas.sum".to_owned(), sum.into_bytes()));
        files
    };
    let time = |count| {
        let files = files(count);
        let (since, busy) = (Instant::now(), busy());
        assert_eq!(Directory::from_files("migrations", files).unwrap().migrations().len(), count);
        match (busy, self::busy()) {
            (Some(before), Some(after)) if after > before => after.saturating_sub(before),
            _ => since.elapsed(),
        }
    };
    // Eight times as many take eight times as long; squared it would be 64 times.
    let (few, many) = (time(2_500).min(time(2_500)), time(20_000));
    assert!(many < few * 24, "{few:?} and {many:?}");
}

#[test]
fn an_error_knows_its_place() {
    let files = [("1_a.sql".to_owned(), b"SELECT 1;\n SELECT '\xC3\xA9', COMMIT\\;".to_vec())];
    let errors = Directory::from_files("db/", files).unwrap_err();
    let positions: Vec<_> = errors.iter().map(|it| (it.file(), it.line(), it.column())).collect();
    assert_eq!(positions, [("db/1_a.sql", Some(2), Some(20))]);
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn report(read: Result<Directory, Errors>) -> String {
    match read {
        Err(errors) => errors.to_string(),
        Ok(directory) => {
            let warnings = directory.warnings().iter().map(|it| format!("warning: {it}"));
            warnings.collect::<Vec<_>>().join("\n")
        }
    }
}
