//! Databases whose server sets options by itself, as 15.20 does.

use upfront_scratch::{Database, Server};

use crate::place::Place;

const TABLES: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text);
ALTER TABLE users ALTER COLUMN name SET (n_distinct = 7);
CREATE INDEX users_name ON users (name) WITH (fillfactor = 60);
CREATE MATERIALIZED VIEW names AS SELECT name FROM users;
CREATE VIEW ids WITH (security_barrier) AS SELECT id FROM users;
";

/// Puts such options wherever a server may have some, whatever its version.
fn mark(database: &Database<'_>) {
    let sql = "SET allow_system_table_mods = on;
        UPDATE pg_attribute SET attoptions = array_append(attoptions, 'pg_mark=' || attnum + 1000)
        WHERE attnum > 0 AND attrelid IN ('users'::regclass, 'names'::regclass, 'ids'::regclass);
        UPDATE pg_class SET reloptions = array_append(reloptions, 'pg_mark=7')
        WHERE relname IN ('users', 'names', 'ids', 'users_name', 'users_pkey')";
    database.psql(sql).unwrap();
}

fn ends_well(it: &Place, arguments: &str) -> String {
    let shown = it.run(arguments);
    assert!(shown.starts_with("exit code 0\n"), "{arguments}\n{shown}");
    shown
}

#[test]
fn options_of_the_server_are_no_difference() {
    let server = Server::shared().unwrap();
    let database = server.database().unwrap();
    let settings = "[desired]\nsql = \"schema.sql\"\n";
    let files =
        [("upfront.toml", settings), ("schema.sql", TABLES), ("migrations/1_users.sql", TABLES)];
    let it = Place::on(&database, &files);
    ends_well(&it, "hash");
    ends_well(&it, "gen --down");
    ends_well(&it, "verify");
    ends_well(&it, "up");
    mark(&database);
    ends_well(&it, "check --schema");
    ends_well(&it, "gen --check");
    let from_database = |verb: &str| format!("{verb} --from {}", database.url());
    let shown = ends_well(&it, &(from_database("diff") + " --to migrations"));
    assert!(shown.contains("there is no difference"), "{shown}");
    let shown = ends_well(&it, &from_database("schema"));
    assert!(shown.contains("n_distinct = '7'") && !shown.contains("pg_"), "{shown}");

    let bare = server.database().unwrap();
    bare.psql(TABLES).unwrap();
    mark(&bare);
    ends_well(&Place::on(&bare, &files), "baseline 1");
}
