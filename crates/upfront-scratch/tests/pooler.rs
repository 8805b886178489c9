//! PgBouncer in front of a server.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use upfront_scratch::{PoolMode, Pooler, Server};

#[test]
fn shares_a_connection_between_transactions() {
    let server = Server::start().unwrap();
    let pooler = Pooler::start(&server, PoolMode::Transaction, 1).unwrap();
    for url in [pooler.url("postgres"), pooler.tcp_url("postgres")] {
        // Both hold a client connection at once, which a pool of one could not serve by session.
        let script = format!(
            "select pg_backend_pid() as one \\gset\n\\connect -reuse-previous=off {url}\n\
             select :one = pg_backend_pid();"
        );
        assert_eq!(ask(&server, &url, &script), "t\n");
    }
}

#[test]
fn logs_in_as_any_role() {
    let server = Server::start().unwrap();
    server.psql("postgres", "create role reader login").unwrap();
    for mode in [PoolMode::Session, PoolMode::Transaction, PoolMode::Statement] {
        let pooler = Pooler::start(&server, mode, 2).unwrap();
        let url = pooler.url("postgres").replace("postgres@", "reader@");
        assert_eq!(ask(&server, &url, "select current_user"), "reader\n");
        let mode = format!("{mode:?}").to_lowercase();
        let config = ask(&server, &pooler.url("pgbouncer"), "show config");
        assert!(config.contains(&format!("pool_mode|{mode}|")), "{config}");
    }
}

#[test]
fn outlives_a_crash_of_the_server() {
    let mut server = Server::start().unwrap();
    let pooler = Pooler::start(&server, PoolMode::Transaction, 1).unwrap();
    server.crash().unwrap();
    server.restart().unwrap();
    assert_eq!(ask(&server, &pooler.url("postgres"), "select 1"), "1\n");
}

#[test]
fn leaves_nothing_behind() {
    let server = Server::start().unwrap();
    let pooler = Pooler::start(&server, PoolMode::Session, 1).unwrap();
    let folder = pooler.socket_dir().to_owned();
    assert!(pooler.log().unwrap().contains("process up"));
    drop(pooler);
    assert!(!folder.exists());
}

fn ask(server: &Server, url: &str, script: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;

    let mut psql = server.bin("psql");
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", url]);
    let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}
