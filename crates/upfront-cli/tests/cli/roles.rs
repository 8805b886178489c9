//! Roles on a server that is not ours, and whose objects are whose.

use upfront_scratch::Server;

use crate::place::{Place, shows};

const SETTINGS: &str = "[desired]\nsql = \"schema.sql\"\n";

/// A server of its own, as its roles are looked at.
fn server() -> Server {
    Server::builder().listen_tcp().start().unwrap()
}

fn roles(server: &Server) -> String {
    let sql = "select rolname from pg_roles where rolname !~ '^pg_' order by 1";
    server.psql("postgres", sql).unwrap()
}

/// A folder whose scratch server is that one.
fn on(server: &Server, files: &[(&str, &str)]) -> Place {
    Place::with(files).variable("UPFRONT_SCRATCH_URL", &server.tcp_url("postgres").unwrap())
}

/// What each version says.
fn of_any_version(shown: &str) -> String {
    let detail = " (Only roles with the CREATEROLE attribute may create roles.)";
    shown.replace("\"MAINTAIN\",", "").replace(detail, "")
}

#[test]
fn roles_are_gone_when_all_have_ended() {
    let server = server();
    server.psql("postgres", "create role kept; create role reader").unwrap();
    server.psql("postgres", "comment on role kept is 'made by hand'").unwrap();
    let it = on(
        &server,
        &[
            ("upfront.toml", SETTINGS),
            ("schema.sql", "CREATE TABLE a (i int); GRANT SELECT ON a TO reader, writer;"),
            (
                "migrations/1_a.sql",
                "CREATE TABLE a (i int);\nGRANT SELECT ON a TO reader, admin;\n",
            ),
            ("migrations/2_b.sql", "CREATE ROLE \"By itself\";\nREVOKE SELECT ON a FROM admin;\n"),
            ("migrations/down/2_b.sql", "DROP ROLE \"By itself\";\nGRANT SELECT ON a TO admin;\n"),
        ],
    );
    it.run("hash");
    let first = it.run("gen --check");
    shows!("roles_in_gen", of_any_version(&first));
    assert_eq!(roles(&server), "kept\npostgres\nreader\n");
    assert_eq!(it.run("gen --check"), first);
    // While others have the server, what they have made stays. What a migration makes itself can
    // only be there once.
    it.remove("migrations/2_b.sql");
    it.remove("migrations/down/2_b.sql");
    it.run("hash");
    let at_once: Vec<_> = (0..3)
        .map(|_| it.command("", &["diff", "--from", "schema.sql", "--to", "migrations"]))
        .map(|mut it| it.stdout(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    for child in at_once {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("TO admin"), "{text}");
    }
    assert_eq!(roles(&server), "kept\npostgres\nreader\n");
}

#[test]
fn rights_are_missed_by_name() {
    let server = server();
    server.psql("postgres", "create role nobody login; create role maker login createdb").unwrap();
    let check = |role: &str, sql: &str| {
        let url = server.tcp_url("postgres").unwrap().replace("//postgres@", &format!("//{role}@"));
        Place::with(&[("upfront.toml", SETTINGS), ("schema.sql", sql)])
            .variable("UPFRONT_SCRATCH_URL", &url)
            .run("gen x --dry-run")
    };
    let shown = [
        check("nobody", "CREATE TABLE a ();"),
        check("maker", "CREATE TABLE a ();\n\nCREATE EXTENSION file_fdw;\n"),
        check("maker", "CREATE TABLE a ();\nGRANT SELECT ON a TO reader;\n"),
    ];
    shows!("roles_without_rights", shown.join("\n"));
    let migrations =
        on(&server, &[("migrations/1_a.sql", "CREATE TABLE a ();\nGRANT ALL ON a TO x;\n")]);
    migrations.run("hash");
    let url = server.tcp_url("postgres").unwrap().replace("//postgres@", "//maker@");
    let migrations = migrations.variable("UPFRONT_SCRATCH_URL", &url);
    shows!("roles_that_may_not_be_made", of_any_version(&migrations.run("verify")));
}

/// A database whose owner is no superuser, and in which the owner was granted what is his anyway.
#[test]
fn the_owner_of_a_database_is_who_replays() {
    let server = server();
    let sql = "create role app login; create role reader; create database live owner app;";
    for it in sql.split(';').filter(|it| !it.trim().is_empty()) {
        server.psql("postgres", it).unwrap();
    }
    let url = server.tcp_url("live").unwrap().replace("//postgres@", "//app@");
    let it = on(
        &server,
        &[
            (
                "migrations/1_a.sql",
                "CREATE SCHEMA s;\nCREATE TABLE s.a (i int, j int);\n\
                 GRANT SELECT ON s.a TO app, reader;\nREVOKE INSERT ON s.a FROM CURRENT_USER;\n\
                 GRANT UPDATE (i) ON s.a TO reader;\nGRANT USAGE ON SCHEMA s TO app;\n\
                 ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO reader, app;\n",
            ),
            ("migrations/2_b.sql", "CREATE TABLE s.b (i int);\nALTER TABLE s.b OWNER TO app;\nCREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1';\nREVOKE ALL ON FUNCTION s.f() FROM PUBLIC;\nGRANT EXECUTE ON FUNCTION s.f() TO app;\n"),
        ],
    )
    .variable("DATABASE_URL", &url);
    it.run("hash");
    let up = it.run("up");
    assert!(up.starts_with("exit code 0"), "{up}");
    shows!("owner_checked", it.run("check --schema"));
    shows!("owner_in_diff", it.run(&format!("diff --from {url} --to migrations")));
    server.psql("live", "set role app; grant delete on s.b to reader").unwrap();
    let subscription = "create subscription s connection 'dbname=x' publication p with (connect = false, \
                        slot_name = none)";
    server.psql("live", subscription).unwrap();
    shows!("owner_with_drift", of_any_version(&it.run("check --schema")));
    shows!("owner_in_a_schema", it.run(&format!("schema --from {url}")));
}
