//! What a server and its databases do while they live.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use upfront_scratch::{Database, Error, Server, StopMode};

#[test]
fn leaves_nothing_behind() {
    let server = Server::start().unwrap();
    let (folder, pid) = (server.socket_dir().unwrap().to_owned(), server.pid().unwrap());
    let database = server.database().unwrap();
    database.execute("create table t ()").unwrap();
    drop(database);
    assert_eq!(server.psql("postgres", "select datname from pg_database order by 1").unwrap(), {
        "postgres\ntemplate0\ntemplate1\n"
    });
    drop(server);
    assert!(!folder.exists());
    assert!(!lives(pid));
}

#[tokio::test]
async fn is_used_from_async_code() {
    let server = Server::builder().listen_tcp().start().unwrap();
    let database = server.database().unwrap();
    assert_eq!(name_over(&database.url()).await, database.name());
    assert_eq!(name_over(&server.tcp_url(database.name()).unwrap()).await, database.name());
}

#[test]
fn is_read_by_libpq() {
    let server = Server::builder().listen_tcp().start().unwrap();
    server.psql("postgres", r#"create database "a/ä b""#).unwrap();
    let ask = |url: &str| {
        server.bin("psql").args(["-XAtc", "select current_database()", url]).output().unwrap()
    };
    assert_eq!(ask(&server.url("a/ä b")).stdout, "a/ä b\n".as_bytes());
    assert_eq!(ask(&server.tcp_url("a/ä b").unwrap()).stdout, "a/ä b\n".as_bytes());
}

#[test]
fn prepares_a_template_once() {
    let server = Server::start().unwrap();
    let mut prepared = 0;
    let mut copy = || {
        server.template("t", |it: &Database<'_>| {
            prepared += 1;
            it.execute("create table t (i int); insert into t values (1)")
        })
    };
    let (one, two): (Database<'_>, Database<'_>) = (copy().unwrap(), copy().unwrap());
    one.execute("delete from t").unwrap();
    assert_eq!(two.psql("table t").unwrap(), "1\n");
    assert_eq!(prepared, 1);
}

#[test]
fn keeps_committed_rows_over_a_crash() {
    let mut server = Server::builder().listen_tcp().start().unwrap();
    let port = server.tcp_port();
    for row in ["1", "2", "3"] {
        server
            .psql("postgres", &format!("create table t{row} as select {row}; table t{row}"))
            .unwrap();
        server.crash().unwrap();
        assert_eq!(server.pid(), None);
        server.restart().unwrap();
    }
    assert_eq!(server.psql("postgres", "table t1; table t2; table t3").unwrap(), "1\n2\n3\n");
    assert_eq!(server.tcp_port(), port);
    assert!(server.log().unwrap().contains("automatic recovery in progress"));
}

#[test]
fn crashes_under_a_busy_session() {
    let mut server = Server::start().unwrap();
    let mut psql = server.bin("psql");
    psql.args(["-Xc", "select count(*) from generate_series(1, 1000000000)", "postgres"]);
    let mut busy = psql.stderr(std::process::Stdio::null()).spawn().unwrap();
    let active = "select count(*) from pg_stat_activity where query like '%generate_series(1, 1%'
        and pid <> pg_backend_pid()";
    while server.psql("postgres", active).unwrap() != "1\n" {}
    server.crash().unwrap();
    server.restart().unwrap();
    assert!(!busy.wait().unwrap().success());
}

#[test]
fn stops_and_starts_again() {
    for how in [StopMode::Smart, StopMode::Fast, StopMode::Immediate] {
        let mut server = Server::start().unwrap();
        server.stop(how).unwrap();
        assert!(server.database().is_err());
        server.restart().unwrap();
        server.database().unwrap();
    }
}

#[test]
fn removes_a_crashed_server() {
    let mut server = Server::start().unwrap();
    let folder = server.socket_dir().unwrap().to_owned();
    server.crash().unwrap();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn reads_its_log_from_a_mark_on() {
    let server = Server::builder().setting("log_statement", "all").start().unwrap();
    server.psql("postgres", "select 'before'").unwrap();
    let mark = server.log_position().unwrap();
    server.psql("postgres", "select 'after'").unwrap();
    let log = server.log_since(mark).unwrap();
    assert!(log.contains("select 'after'") && !log.contains("select 'before'"), "{log}");
}

#[test]
fn follows_as_a_standby() {
    let primary = Server::start().unwrap();
    primary.psql("postgres", "create table t as select 1").unwrap();
    let standby = primary.standby().unwrap();
    primary.psql("postgres", "insert into t values (2)").unwrap();
    standby.wait_caught_up(&primary).unwrap();
    assert_eq!(standby.psql("postgres", "table t order by 1").unwrap(), "1\n2\n");
    assert_eq!(standby.psql("postgres", "select pg_is_in_recovery()").unwrap(), "t\n");
    assert_eq!(primary.psql("postgres", "select state from pg_stat_replication").unwrap(), {
        "streaming\n"
    });
    assert!(standby.database().is_err());
}

#[test]
fn asks_for_a_password_where_a_line_says_so() {
    let line = "host all guarded 127.0.0.1/32 scram-sha-256";
    let server = Server::builder().listen_tcp().hba(line).start().unwrap();
    server.psql("postgres", "create role guarded login password 'right'").unwrap();
    let ask = |password: &str| {
        let url = server.tcp_url("postgres").unwrap();
        let url = url.replace("postgres@", &format!("guarded:{password}@"));
        let mut psql = server.bin("psql");
        psql.args(["-XAtwc", "select current_user", &url]).output().unwrap()
    };
    assert_eq!(ask("right").stdout, b"guarded\n");
    let refused = String::from_utf8(ask("wrong").stderr).unwrap();
    assert!(refused.contains("password authentication failed"), "{refused}");
}

#[test]
fn writes_a_schema_that_can_be_compared() {
    let server = Server::start().unwrap();
    let one = server.database().unwrap();
    one.execute("create table t (i int)").unwrap();
    let two = one.copy().unwrap();
    assert!(one.schema().unwrap().contains("CREATE TABLE public.t"));
    assert_eq!(one.schema().unwrap(), two.schema().unwrap());
}

#[test]
fn is_one_for_the_process() {
    let one: *const Server = Server::shared().unwrap();
    let two: *const Server = Server::shared().unwrap();
    assert_eq!(one, two);
}

#[test]
fn shows_the_log_when_it_does_not_start() {
    let err = Server::builder().setting("no_such", "1").start().unwrap_err().to_string();
    assert!(err.starts_with("PostgreSQL "), "{err}");
    assert!(err.ends_with("unrecognized configuration parameter \"no_such\""), "{err}");
}

#[test]
fn says_how_to_install_what_is_missing() {
    let err: Error = Server::builder().major(9).start().unwrap_err();
    assert!(err.is_not_installed());
    let install = if cfg!(target_os = "macos") {
        "brew install postgresql@9"
    } else {
        "apt-get install postgresql-9"
    };
    assert_eq!(
        err.to_string(),
        format!(
            "no PostgreSQL 9 on this machine: `{install}`, or set `UPFRONT_SCRATCH_BIN` to the \
             folder of its `initdb` and `postgres`"
        )
    );
}

async fn name_over(url: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let row = client.query_one("select current_database()", &[]).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    row.get::<_, &str>(0).to_owned()
}

fn lives(pid: u32) -> bool {
    let status = std::process::Command::new("ps").args(["-p", &pid.to_string()]).output();
    status.unwrap().status.success()
}
