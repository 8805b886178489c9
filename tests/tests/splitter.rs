//! Where a statement ends: psql and this house's splitter read the same files, and the statements
//! that the server logs are ours.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path};

use upfront_directory::Directory;
use upfront_scratch::Server;

/// What the splitter makes of a text.
fn split(text: &str) -> Vec<String> {
    let files = [("1_a.sql".to_owned(), text.as_bytes().to_vec())];
    let directory = match Directory::from_files("migrations", files) {
        Ok(it) => it,
        Err(err) => {
            assert!(err.to_string().contains("no statement"), "{err}");
            return Vec::new();
        }
    };
    let up = &directory.migrations()[0].up;
    up.statements.iter().map(|it| without_blank_lines(&up.body[it.range.clone()])).collect()
}

/// psql leaves them out.
fn without_blank_lines(text: &str) -> String {
    text.lines().filter(|it| !it.trim().is_empty()).collect::<Vec<_>>().join("\n")
}

/// The psql of PostgreSQL 14 takes `--` comments out of what it sends.
fn without_comments(text: &str) -> String {
    let bare = text.lines().map(|it| it.split("--").next().unwrap_or_default().trim());
    bare.filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What one statement is to the splitter: itself without the comments around it, or nothing.
fn one(logged: &str) -> Option<String> {
    let mut statements = split(logged);
    assert!(statements.len() <= 1, "the server took this for one statement: {logged}");
    statements.pop()
}

/// What the server logs while psql reads a file.
fn logged(server: &Server, file: &Path) -> Vec<String> {
    let database = server.database().unwrap();
    let mark = server.log_position().unwrap();
    let mut psql = server.bin("psql");
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database.name(), "-f"]).arg(file);
    psql.env("PGAPPNAME", "splitter");
    let output = psql.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", file.display());
    let log = server.log_since(mark).unwrap();
    let entries = log.split("@@").filter_map(|it| it.strip_prefix("splitter LOG:  statement: "));
    entries.map(|it| it.trim_end_matches('\n').replace("\n\t", "\n")).collect()
}

#[test]
fn psql_and_the_splitter_agree() {
    let server = Server::builder()
        .setting("log_statement", "all")
        .setting("log_line_prefix", "@@%a ")
        .start()
        .unwrap();
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = ["crates/upfront-directory/tests/corpus", "tests/tests/bodies"];
    let files = folders.iter().flat_map(|it| fs::read_dir(house.join(it)).unwrap());
    let files: Vec<_> = files.map(|it| it.unwrap().path()).collect();
    assert!(files.len() > 5);
    for file in files {
        let ours = split(&fs::read_to_string(&file).unwrap());
        // psql sends the `;` of an empty statement, and the comments around one that is not.
        let theirs: Vec<_> = logged(&server, &file).iter().filter_map(|it| one(it)).collect();
        if server.version().major() < 15 {
            let bare = |it: &[String]| it.iter().map(|it| without_comments(it)).collect::<Vec<_>>();
            assert_eq!(bare(&ours), bare(&theirs), "{}", file.display());
        } else {
            assert_eq!(ours, theirs, "{}", file.display());
        }
    }
}
