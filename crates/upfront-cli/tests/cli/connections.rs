//! Where the database is, and what is said when it is not there.

use std::{fs, os::unix::fs::PermissionsExt};

use upfront_scratch::Server;

use crate::place::{Place, database, shows};

const A: (&str, &str) = ("migrations/1_a.sql", "CREATE TABLE a ();\n");

/// A folder that is in order.
fn place() -> Place {
    let it = Place::with(&[A]);
    it.run("hash");
    it
}

#[test]
fn urls_that_are_none() {
    let it = place();
    let shown = [
        "mysql://u:hunter2@h/d",
        "postgres://u:hunt?er2@h:1/d",
        "postgres://u:hunter2%@h/d",
        "postgres://u:hunter2@h/d?sslmode=maybe",
        "postgres://u:hunter2@h/d?sslmod=require",
        "postgres://u:hunter2@h:port/d",
        "postgres://u:hunter2@h/d?application_name",
        "postgres://h/d?password=hunter2&sslcert=a",
        "postgres://h/d?password=hunter2&sslrootcert=system&sslmode=require",
        "host=h password=hunter2 port=x",
        "host=h password='hunter2",
        "host=h password=hunter2 service=x",
        "hunter2",
    ]
    .map(|url| it.run_in("", &["status", "--url", url]));
    let shown = shown.join("\n");
    assert!(!shown.contains("hunter2"), "{shown}");
    shows!("urls that are invalid", shown);
}

#[test]
fn servers_that_are_not_there() {
    let it = place();
    let run = |url: &str| it.run_in("", &["check", "--url", url]);
    shows!("nothing listens", run("postgres://u:hunter2@127.0.0.1:1/d"));
    shows!("no socket", run("host=/nowhere user=u dbname=d"));
    let host = run("postgres://u:hunter2@no-such-host.invalid/d");
    assert!(
        host.starts_with("exit code 7") && host.contains("is the host's name right?"),
        "{host}"
    );
    shows!("unreachable as JSON", it.run("check --format json --url postgres://u:p@127.0.0.1:1/d"));
}

#[test]
fn a_server_that_turns_the_user_away() {
    let server = Server::builder()
        .listen_tcp()
        .hba("host all secretive 127.0.0.1/32 scram-sha-256")
        .hba("hostnossl all encrypted 127.0.0.1/32 reject")
        .start()
        .unwrap();
    let database = server.database().unwrap();
    database
        .execute("create role secretive login password 'ri:ght'; create role encrypted login")
        .unwrap();
    let port = server.tcp_port().unwrap();
    let it = place();
    let run = |url: &str| {
        let shown = it.run_in("", &["-vv", "status", "--url", url]);
        assert!(!shown.contains("hunter2"), "{shown}");
        shown
    };
    let url = |user: &str, more: &str| {
        format!("postgres://{user}@127.0.0.1:{port}/{}{more}", database.name())
    };
    shows!("a wrong password", run(&url("secretive:hunter2", "")));
    shows!("no password", run(&url("secretive", "")));
    shows!("the server wants TLS", run(&url("encrypted", "")));
    shows!("the server has no TLS", run(&url("postgres:hunter2", "?sslmode=require")));
    shows!("no such database", run(&format!("postgres://postgres@127.0.0.1:{port}/nowhere")));

    let applies = |it: &Place, url: &str| {
        let shown = it.run_in("", &["status", "--url", url]);
        assert!(shown.starts_with("exit code 0"), "{shown}");
    };
    let line = format!("127.0.0.1:{port}:*:secretive:ri\\:ght\n");
    it.write(".pgpass", &line);
    let shown = run(&url("secretive", ""));
    assert!(shown.contains("others may read the password file"), "{shown}");
    fs::set_permissions(it.path(".pgpass"), fs::Permissions::from_mode(0o600)).unwrap();
    applies(&it, &url("secretive", ""));
    let other = place().variable("PGPASSWORD", "ri:ght");
    applies(&other, &url("secretive", ""));
    let file = place().variable("PGPASSFILE", it.path(".pgpass").to_str().unwrap());
    applies(&file, &url("secretive", ""));
}

#[test]
fn the_variables_of_libpq_are_enough() {
    let database = database();
    let server = database.server();
    let folder = server.socket_dir().unwrap().to_str().unwrap();
    let port = server.url("x").rsplit_once(':').unwrap().1.split_once('/').unwrap().0.to_owned();
    let it = place()
        .variable("PGHOST", folder)
        .variable("PGPORT", &port)
        .variable("PGUSER", "postgres")
        .variable("PGDATABASE", database.name())
        .variable("PGAPPNAME", "by hand")
        .variable("PGOPTIONS", "-c statement_timeout=7s");
    let shown = it.run("up");
    assert!(shown.starts_with("exit code 0"), "{shown}");
    let who = "select distinct application from upfront.log where app = 'main'";
    assert_eq!(database.psql(who).unwrap(), "by hand\n");
}
