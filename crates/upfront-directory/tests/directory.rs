//! A directory as a whole: order, directives, delimiters, sums, chain.

use std::fs;
use std::time::Duration;

use upfront_directory::{Change, Directory, Hash, Sum, chain, fingerprint, write_sums};

fn read(files: &[(&str, &str)]) -> Directory {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    Directory::from_files("migrations", files).unwrap_or_else(|err| panic!("{err}"))
}

#[test]
fn names_give_version_name_and_order() {
    let files = ["20260102_b_c.sql", "20260101_a.sql", "20260103.sql", "README.md", "sub/1_x.txt"];
    let directory = read(&files.map(|it| (it, "SELECT 1;\n")));
    let found: Vec<_> =
        directory.migrations().iter().map(|it| (&*it.version, &*it.name, &*it.file)).collect();
    assert_eq!(
        found,
        [
            ("20260101", "a", "20260101_a.sql"),
            ("20260102", "b_c", "20260102_b_c.sql"),
            ("20260103", "", "20260103.sql"),
        ]
    );
    assert_eq!(directory.migrations()[0].up.path, "migrations/20260101_a.sql");
    assert_eq!(directory.label(), "migrations");
}

/// The versions of Atlas's own test data among them.
#[test]
fn takes_versions_of_every_sane_shape() {
    read(&[("1.a_x.sql", "SELECT 1;\n"), ("2.10.x-20_y.sql", "SELECT 1;\n")]);
    read(&[
        ("0001_a.sql", "SELECT 1;\n"),
        ("0010_b.sql", "SELECT 1;\n"),
        ("9999_c.sql", "SELECT 1;\n"),
    ]);
    read(&[
        ("v1.09_a.sql", "SELECT 1;\n"),
        ("v1.10_b.sql", "SELECT 1;\n"),
        ("v2.01_c.sql", "SELECT 1;\n"),
    ]);
    read(&[("2026-01-31T10_a.sql", "SELECT 1;\n"), ("2026-02-01T09_b.sql", "SELECT 1;\n")]);
    read(&[("20260101000000_a.sql", "SELECT 1;\n"), ("20260101000000x_b.sql", "SELECT 1;\n")]);
}

#[test]
fn reads_what_files_say_about_themselves() {
    let hash = "0123456789abcdef".repeat(4);
    let up = format!(
        "-- About this file.\n-- atlas:txmode none\n-- atlas:checkpoint v1\n-- atlas:nolint\n-- upfront:breaking\n--upfront:accepts \
         {hash}\n-- upfront:accepts {}\n-- upfront:lock-timeout 5s\n-- upfront:statement-timeout 10min  \n \t\nVACUUM;\n",
        hash.to_uppercase()
    );
    let down = "-- atlas:txmode file\n-- upfront:lock-timeout 1500ms\n\n-- atlas:nolint DS102\nDROP TABLE t;\n";
    let directory = read(&[
        ("1_a.sql", &up),
        ("down/1_a.sql", down),
        ("2_b.sql", "-- upfront:irreversible the rows are gone\n\nDELETE FROM t;\n"),
    ]);
    let [first, second] = directory.migrations() else { panic!() };
    assert!(!first.up.transactional && first.checkpoint && first.breaking);
    assert_eq!(first.accepts, [hash.parse::<Hash>().unwrap(); 2]);
    assert_eq!(first.up.lock_timeout, Some(Duration::from_secs(5)));
    assert_eq!(first.up.statement_timeout, Some(Duration::from_secs(600)));
    let down = first.down.as_ref().unwrap();
    assert!(down.transactional);
    assert_eq!(down.path, "migrations/down/1_a.sql");
    assert_eq!(down.lock_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(second.irreversible.as_deref(), Some("the rows are gone"));
    assert!(second.up.transactional && second.down.is_none());
}

#[test]
fn prose_is_no_directive() {
    let comments = [
        "see atlas: it is a tool",
        "Atlas checkpoint files are different",
        "upfront breaking changes are marked",
        "atlases:txmode",
        "upfront",
        "atlas:",
        "the upfront cost",
        "atlas import was used once",
        "Atlas sum is checked",
        "upfront accepts this",
        "atlas : none",
    ];
    for it in comments {
        read(&[("1_a.sql", &format!("-- {it}\n\nSELECT 1; -- {it}\n/* {it}\n * {it} */\n"))]);
    }
    read(&[("1_a.sql", "SELECT '\n-- atlas:txmode none\n', $$\n-- upfront:breaking\n$$;\n")]);
    read(&[("1_a.sql", "SELECT 1;\n/*atlas:nolint*/\nSELECT 2;\n")]);
}

#[test]
fn a_delimiter_becomes_a_semicolon_in_its_place() {
    let check = |delimiter: &str, text: &str, expected: &str, statements: &[&str]| {
        let source = format!("-- atlas:delimiter {delimiter}\n{text}");
        let directory = read(&[("1_a.sql", &source)]);
        let up = &directory.migrations()[0].up;
        let (head, body) = up.body.split_once('\n').unwrap();
        assert_eq!((head, body), (source.split_once('\n').unwrap().0, expected));
        assert_eq!(up.body.len(), source.len());
        let found: Vec<_> = up.statements.iter().map(|it| &up.body[it.range.clone()]).collect();
        assert_eq!(found, statements);
        let lines =
            up.statements.iter().map(|it| source[..it.range.start].matches('\n').count() + 1);
        assert!(lines.eq(up.statements.iter().map(|it| it.line as usize)));
    };
    check(
        "//",
        "SELECT 1//\nSELECT 2;//\n",
        "SELECT 1 ;\nSELECT 2; ;\n",
        &["SELECT 1", "SELECT 2"],
    );
    check(
        "-- end",
        "SELECT 1\n-- end\nSELECT 2\n-- end\n",
        "SELECT 1\n     ;\nSELECT 2\n     ;\n",
        &["SELECT 1", "SELECT 2"],
    );
    check(
        "\\n\\n",
        "SELECT 1\n\nSELECT 2; -- x\n\nSELECT 3",
        "SELECT 1\n;SELECT 2; -- x\n;SELECT 3",
        &["SELECT 1", "SELECT 2", "SELECT 3"],
    );
    check(
        "\\nGO",
        "SELECT 'x\nGO'\nGO\nSELECT $$\nGO$$",
        "SELECT 'x\nGO'\n ;\nSELECT $$\nGO$$",
        &["SELECT 'x\nGO'", "SELECT $$\nGO$$"],
    );
    check(
        "\\n\\n",
        "CREATE TABLE t (\n\n a int)\n\n",
        "CREATE TABLE t (\n\n a int)\n;",
        &["CREATE TABLE t (\n\n a int)"],
    );
    check(";", "SELECT 1;", "SELECT 1;", &["SELECT 1"]);
    check(
        "\\n\\n\\n",
        "SELECT 1;\n\nSELECT 2\n\n\nSELECT 3",
        "SELECT 1;\n\nSELECT 2\n\n;SELECT 3",
        &["SELECT 1", "SELECT 2", "SELECT 3"],
    );
}

#[test]
fn line_ends_and_byte_order_marks_do_not_matter() {
    let text = "CREATE TABLE a (\n  b text DEFAULT 'x\ny'\n);\n";
    let plain = read(&[("1_a.sql", text), ("2_b.sql", text)]);
    let others = [
        text.replace('\n', "\r\n"),
        format!("\u{feff}{text}"),
        format!("\u{feff}{}", text.replace('\n', "\r\n")),
    ];
    for other in others {
        let it = read(&[("1_a.sql", &other), ("2_b.sql", text)]);
        assert_eq!(it.migrations(), plain.migrations());
        assert_eq!(it.fingerprint(), plain.fingerprint());
        assert_ne!(it.sum(), plain.sum());
    }
}

#[test]
fn a_sum_holds_in_either_kind_of_line_ends() {
    let text = "SELECT 1;\nSELECT 2;\n";
    let crlf = text.replace('\n', "\r\n");
    for (recorded, found) in [(text, &*crlf), (&*crlf, text)] {
        let sum = Sum::of([("1_a.sql", recorded.as_bytes())]).to_string();
        let check = |sum: &str| {
            let directory = read(&[("1_a.sql", found), ("atlas.sum", sum)]);
            assert!(directory.warnings()[0].to_string().contains("line ends"));
        };
        check(&sum);
        check(&sum.replace('\n', "\r\n"));
    }
}

/// Hashes that Atlas's own code gives for these three files.
#[test]
fn computes_the_sum_as_atlas_does() {
    let files: [(&str, &[u8]); 3] = [
        (
            "20260101000000_init.sql",
            b"CREATE TABLE \"users\" (\"id\" bigint NOT NULL, PRIMARY KEY (\"id\"));\n",
        ),
        ("20260102000000_ignored.sql", b"-- atlas:sum ignore\n\nSELECT 1;\n"),
        ("20260103000000_email.sql", b"ALTER TABLE \"users\" ADD COLUMN \"email\" text NULL;\n"),
    ];
    let text = "h1:qMttRceeSxg7PDy43LwNDsAdE2OhVQfJIwDGnAE7ouE=
20260101000000_init.sql h1:eOHn4Ye3DobhgyPSo0xhdCmQKlKz+ur78nO4HqAimtc=
20260103000000_email.sql h1:amK5FWiVdi3+sjU9LqkcU3qw9F9lK6NaHk9MD8omtFc=
";
    assert_eq!(Sum::of(files).to_string(), text);
    assert_eq!(Sum::of([]).to_string(), "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
}

#[test]
fn only_atlas_own_form_is_left_out_of_the_sum() {
    let is_left_out =
        |text: &str| !Sum::of([("1.sql", text.as_bytes())]).to_string().contains("1.sql");
    for it in [
        "atlas:sum ignore",
        "//atlas:sum ignore\n",
        "-- x atlas:sum  ignore\nSELECT 1;",
        "atlas:txmode atlas:sum ignore",
    ] {
        assert!(is_left_out(it), "{it}");
    }
    let others = [
        "-- atlas:sum ignore\r\n",
        "\n-- atlas:sum ignore",
        "é atlas:sum ignore",
        "atlas:sum ignore ",
        "atlas:sum",
        "",
    ];
    for it in others {
        assert!(!is_left_out(it), "{it}");
    }
}

#[test]
fn finds_the_first_difference_to_a_sum() {
    let sum = |names: &str| {
        Sum::of(
            names.split(' ').map(|it| it.split_at(1)).map(|(name, text)| (name, text.as_bytes())),
        )
    };
    let check = |before: &str, after: &str, expected: Option<(&str, Change, u32)>| {
        let found = sum(before).difference(&sum(after));
        assert_eq!(found.as_ref().map(|it| (&*it.file, it.change, it.line)), expected);
    };
    check("a b c", "a b c", None);
    check("a b c", "a bx c", Some(("b", Change::Edited, 3)));
    check("a c", "a b c", Some(("b", Change::Added, 3)));
    check("a", "a b", Some(("b", Change::Added, 3)));
    check("a b c", "b c", Some(("a", Change::Removed, 2)));
    check("a b", "a", Some(("b", Change::Removed, 3)));
    check("b", "a", Some(("b", Change::Removed, 2)));
}

/// A large file is hashed on another thread.
#[test]
fn the_hash_does_not_depend_on_the_size() {
    for rows in [1, 100_000] {
        let text = "INSERT INTO t VALUES (1);\n".repeat(rows);
        let directory = read(&[("1_a.sql", &text), ("2_b.sql", "COMMENT ON TABLE t IS 'a';\n")]);
        let up = &directory.migrations()[0].up;
        assert_eq!((up.hash, up.statements.len()), (Hash::of(text.as_bytes()), rows));
    }
}

/// Stored in databases: neither may ever change.
#[test]
fn chain_and_fingerprint_are_what_they_were() {
    let directory =
        read(&[("1_a.sql", "SELECT 1;\n"), ("2_b.sql", "-- upfront:breaking\n\nSELECT 2;\n")]);
    let [first, second] = directory.migrations() else { panic!() };
    assert_eq!(
        first.up.hash.to_string(),
        "b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd"
    );
    assert_eq!(first.chain, chain(&Hash::ZERO, "1", "a", &first.up.hash));
    assert_eq!(second.chain, chain(&first.chain, "2", "b", &second.up.hash));
    assert_eq!(
        second.chain.to_string(),
        "862ae0b386d471340409e6ed89f2f3067693b1def41b8ddfbb33d8155b17f094"
    );
    assert_eq!(
        directory.fingerprint().to_string(),
        "d941f05b240a505fc3673a2c435ef90040237558c301324b0c8325e0d87a4690"
    );
    let rows = [second.row(), first.row()];
    assert_eq!(fingerprint(rows), directory.fingerprint());
    assert_eq!(fingerprint([]), Hash::ZERO);
}

#[test]
fn writes_the_sums_that_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("down")).unwrap();
    fs::write(path.join("1_a.sql"), "CREATE TABLE a (id int);\n").unwrap();
    fs::write(path.join("down/1_a.sql"), "DROP TABLE a;\n").unwrap();
    assert_eq!(Directory::read(path).unwrap().warnings().len(), 2);
    assert_eq!(write_sums(path).unwrap(), [path.join("atlas.sum"), path.join("down/atlas.sum")]);
    assert!(Directory::read(path).unwrap().warnings().is_empty());
    assert!(write_sums(path).unwrap().is_empty());
    fs::write(path.join("1_a.sql"), "CREATE TABLE a (id bigint);\n").unwrap();
    assert!(Directory::read(path).is_err());
    assert_eq!(write_sums(path).unwrap(), [path.join("atlas.sum")]);
    Directory::read(path).unwrap();
}
