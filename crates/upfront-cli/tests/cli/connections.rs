//! Where the database is, and what is said when it is not there.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, time::Instant};

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
    shows!("urls_that_are_invalid", shown);
}

#[test]
fn servers_that_are_not_there() {
    let it = place();
    let run = |url: &str| it.run_in("", &["check", "--url", url]);
    shows!("nothing_listens", run("postgres://u:hunter2@127.0.0.1:1/d"));
    shows!("no_socket", run("host=/nowhere user=u dbname=d"));
    let host = run("postgres://u:hunter2@no-such-host.invalid/d");
    assert!(
        host.starts_with("exit code 7") && host.contains("is the host's name right?"),
        "{host}"
    );
    shows!("unreachable_as_json", it.run("check --format json --url postgres://u:p@127.0.0.1:1/d"));
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
    shows!("a_wrong_password", run(&url("secretive:hunter2", "")));
    shows!("no_password", run(&url("secretive", "")));
    shows!("the_server_wants_tls", run(&url("encrypted", "")));
    shows!("the_server_has_no_tls", run(&url("postgres:hunter2", "?sslmode=require")));
    shows!("no_such_database", run(&format!("postgres://postgres@127.0.0.1:{port}/nowhere")));

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

/// A server that takes connections and never answers.
fn mute() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn each_host_has_its_connect_timeout() {
    let (_first, one) = mute();
    let (_second, two) = mute();
    let server = Server::builder().listen_tcp().start().unwrap();
    let database = server.database().unwrap();
    let (port, name) = (server.tcp_port().unwrap(), database.name());
    let it = place();
    let timed = |it: &Place, url: &str| {
        let since = Instant::now();
        (it.run_in("", &["status", "--url", url]), since.elapsed())
    };
    let hosts = format!("127.0.0.1:{one},localhost:{two}");
    let (silent, took) = timed(&it, &format!("postgres://postgres@{hosts}/d?connect_timeout=1"));
    assert!(silent.starts_with("exit code 7") && silent.contains("no answer in time"), "{silent}");
    assert!((2..8).contains(&took.as_secs()), "{took:?}: {silent}");

    let list = format!(
        "host=127.0.0.1,127.0.0.1 port={one},{port} user=postgres dbname={name} connect_timeout=1"
    );
    let url = format!("postgres://postgres@127.0.0.1:{one},127.0.0.1:{port}/{name}");
    for (it, url) in [(it, list), (place().variable("PGCONNECT_TIMEOUT", "1"), url)] {
        let (shown, took) = timed(&it, &url);
        assert!(shown.starts_with("exit code 0"), "{url}: {shown}");
        assert!((1..8).contains(&took.as_secs()), "{url}: {took:?}: {shown}");
    }
}

#[test]
fn settings_about_dead_links_are_those_of_libpq() {
    let database = database();
    let folder = database.server().socket_dir().unwrap().to_str().unwrap().to_owned();
    let it = place();
    let url = |more: &str| {
        let port = database.server().url("x");
        let port = port.rsplit_once(':').unwrap().1.split_once('/').unwrap().0.to_owned();
        format!("postgres://postgres@/{}?host={folder}&port={port}&{more}", database.name())
    };
    let all = "keepalives=1&keepalives_idle=5&keepalives_interval=5&keepalives_count=2&\
               tcp_user_timeout=15000";
    for (more, code) in [(all, 0), ("tcp_user_timeout=0", 0), ("tcp_user_timeout=20s", 8)] {
        let shown = it.run_in("", &["status", "--url", &url(more)]);
        assert!(shown.starts_with(&format!("exit code {code}")), "{more}: {shown}");
    }
}

#[test]
fn the_command_shows_what_a_migration_raises() {
    let database = database();
    let raises = "DO $$ BEGIN\n  RAISE NOTICE 'half';\n  RAISE WARNING 'odd';\nEND $$;\n";
    let it = Place::on(&database, &[("migrations/1_a.sql", raises)]);
    it.run("hash");
    let shown = it.run("up");
    assert!(shown.contains("\nnotice: 1_a: half\nwarning: 1_a: odd\n"), "{shown}");
}
