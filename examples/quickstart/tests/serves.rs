//! The service as its users meet it: started, asked, stopped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
};

use tokio_postgres::{Client, NoTls};
use upfront_scratch::{Database, Server};

#[test]
fn needs_no_database_at_hand() {
    let mut it = Service::start(None);
    it.until("the schema is up to date");
    it.check("GET", "/readyz", "", 200, "ready");
    it.check("GET", "/notes", "", 200, "A migration is a file of plain SQL.");
    it.check("POST", "/notes", r#"{"topic": "general", "body": "Hello"}"#, 201, "Hello");
    it.check("POST", "/notes", r#"{"topic": "none", "body": "Hello"}"#, 422, "notes_topic_fkey");
    it.check("GET", "/notes?topic=general", "", 200, "Hello");
    assert!(it.stop().success());
}

#[test]
fn a_second_start_has_nothing_to_do() {
    let database = database();
    for expected in ["report=applied 3 migrations", "report=nothing to apply"] {
        let mut it = Service::start(Some(&database.url()));
        let line = it.until("the schema is up to date");
        assert!(line.contains(expected), "{line}");
        assert!(it.stop().success());
    }
}

#[test]
fn the_readme_shows_its_log() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("<!-- log -->\n```text\n").unwrap();
    let (shown, _) = rest.split_once("```\n<!-- /log -->").unwrap();
    let database = database();
    let mut it = Service::start(Some(&database.url()));
    let mut seen = String::new();
    while !seen.contains("the schema is up to date") {
        let line = it.until("");
        if line.contains(" INFO ") {
            seen.push_str(&line);
        }
    }
    assert!(it.stop().success());
    assert_eq!(masked(shown), masked(&seen));
}

/// Without moments and durations.
fn masked(log: &str) -> String {
    let mask = |it: &str| {
        let is_moment = it.ends_with('Z') && it.contains('T');
        let is_duration = it.ends_with("ms") || it.ends_with('s') && it.contains('.');
        match it.split_once('=') {
            Some((name, _)) if name.ends_with("_ms") => format!("{name}=…"),
            _ if is_moment || is_duration => "…".into(),
            _ => it.to_owned(),
        }
    };
    let line = |it: &str| it.split_whitespace().map(mask).collect::<Vec<_>>().join(" ");
    log.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn stops_at_once_while_it_waits() {
    let database = database();
    let _other = lock(&database).await;
    let mut it = Service::start(Some(&database.url()));
    it.until("waiting for another process to migrate");
    assert!(it.stop().success());
}

#[tokio::test]
async fn is_alive_and_not_ready_while_another_process_migrates() {
    let database = database();
    let other = lock(&database).await;
    let mut it = Service::start(Some(&database.url()));
    it.until("waiting for another process to migrate");
    it.check("GET", "/livez", "", 200, "alive");
    it.check("GET", "/readyz", "", 503, "migrating");
    it.check("GET", "/notes", "", 503, "migrating");
    other.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
    it.until("the schema is up to date");
    it.check("GET", "/readyz", "", 200, "ready");
    assert!(it.stop().success());
}

#[test]
fn says_what_is_wrong() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    check_error(&port, "postgresql://127.0.0.1:1", "is taken: set `PORT` to another");
    check_error("many", "postgresql://127.0.0.1:1", "`PORT` is `many`, which is no port");
    check_error("0", "nonsense", "cannot read `DATABASE_URL`");
    check_error("0", "postgresql://x@127.0.0.1:1", "nothing answers there");
}

fn check_error(port: &str, url: &str, expected: &str) {
    let Output { status, stderr, .. } =
        program().env("PORT", port).env("DATABASE_URL", url).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(expected), "{stderr}");
}

fn database() -> Database<'static> {
    Server::shared().unwrap().database().unwrap()
}

/// Holds the migration lock, as a process does that migrates.
async fn lock(database: &Database<'_>) -> Client {
    const LOCK: &str = r"SELECT pg_advisory_lock(('x' || encode(substr(sha256(
        'upfront lock v1\000upfront\000main'::bytea), 1, 8), 'hex'))::bit(64)::bigint)";
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(LOCK).await.unwrap();
    client
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    program.env("NO_COLOR", "1");
    program
}

/// A running service; killed when dropped.
struct Service {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Service {
    fn start(url: Option<&str>) -> Self {
        let mut program = program();
        match url {
            Some(it) => program.env("DATABASE_URL", it),
            None => program.env_remove("DATABASE_URL"),
        };
        let mut child = program.env("PORT", "0").stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut it = Self { child, stdout, address: String::new() };
        let line = it.until("Serving on http://");
        let address = line.split("http://").nth(1).unwrap();
        address.split(". ").next().unwrap().clone_into(&mut it.address);
        it
    }

    /// Reads its output up to a line that contains this.
    fn until(&mut self, text: &str) -> String {
        let mut line = String::new();
        while line.is_empty() || !line.contains(text) {
            line.clear();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "it ended before `{text}`");
        }
        line
    }

    fn check(&self, method: &str, path: &str, body: &str, status: u16, contains: &str) {
        let (address, length) = (&self.address, body.len());
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: \
             application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {answer}");
        assert!(answer.contains(contains), "{method} {path}: {answer}");
    }

    fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
