//! What `gen` and `verify` prove, and what they make of what does not prove.

use upfront_scratch::Server;

use crate::place::{Place, shows};

const SETTINGS: &str = "[desired]\nsql = \"schema.sql\"\n";

/// A folder with these files on a scratch server that all tests share.
fn place(files: &[(&str, &str)]) -> Place {
    let server = Server::shared().unwrap();
    let it = Place::with(files).variable("UPFRONT_SCRATCH_URL", &server.url("postgres"));
    it.run("hash");
    it
}

/// The text of all down sides.
fn downs(it: &Place) -> String {
    let files = it.files();
    let files = files.iter().filter(|it| it.contains("/down/") && !it.ends_with("atlas.sum"));
    let texts: Vec<_> = files.map(|file| format!("--- {file}\n{}", it.read(file))).collect();
    texts.concat()
}

#[test]
fn takes_back_what_was_moved() {
    let it = place(&[
        (
            "migrations/1_a.sql",
            "CREATE SCHEMA app;\n\
             CREATE TYPE mood AS ENUM ('sad');\n\
             CREATE TYPE pair AS (x int, y int);\n\
             CREATE TABLE t (id serial PRIMARY KEY, m mood, p pair);\n\
             CREATE VIEW v AS SELECT t.id FROM t JOIN t AS b ON b.id = t.id;\n\
             CREATE SEQUENCE free;\n\
             CREATE FUNCTION f(m mood) RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
        ),
        (
            "migrations/2_move.sql",
            "ALTER TABLE t SET SCHEMA app;\n\
             ALTER VIEW v SET SCHEMA app;\n\
             ALTER TYPE mood SET SCHEMA app;\n\
             ALTER SEQUENCE free SET SCHEMA app;\n\
             ALTER FUNCTION f(app.mood) SET SCHEMA app;\n\
             ALTER FUNCTION app.f(app.mood) RENAME TO g;\n\
             ALTER TABLE app.t RENAME TO u;\n\
             ALTER TYPE pair RENAME ATTRIBUTE x TO z;\n",
        ),
        (
            "migrations/3_home.sql",
            "DROP VIEW app.v;\n\
             DROP FUNCTION app.g;\n\
             ALTER TABLE app.u SET SCHEMA public;\n\
             ALTER TYPE app.mood SET SCHEMA public;\n\
             ALTER SEQUENCE app.free SET SCHEMA public;\n\
             DROP SCHEMA app;\n",
        ),
    ]);
    shows!("gen_down_of_what_was_moved", it.run("gen --down"));
    shows!("the_down_sides_of_what_was_moved", downs(&it));
    assert!(it.run("verify").starts_with("exit code 0"));
}

#[test]
fn goes_on_past_a_wrong_down_side() {
    let it = place(&[
        ("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);\n"),
        ("migrations/down/1_a.sql", "DROP TABLE a;\nCREATE TABLE left_behind ();\n"),
        ("migrations/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);\n"),
        ("migrations/3_c.sql", "ALTER TABLE b ADD c text;\n"),
        ("migrations/down/3_c.sql", "ALTER TABLE b DROP id, DROP c, ADD id int PRIMARY KEY;\n"),
    ]);
    shows!("gen_down_past_a_wrong_one", it.run("gen --down"));
    shows!("gen_down_past_a_wrong_one_as_json", it.run("gen --down --format json"));
}

#[test]
fn says_in_the_down_side_what_rows_do_to_it() {
    let it = place(&[
        ("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL, t text);\n"),
        ("migrations/2_drop.sql", "ALTER TABLE a DROP n;\n"),
        ("migrations/3_number.sql", "ALTER TABLE a ALTER t TYPE int USING t::int;\n"),
        ("migrations/4_strict.sql", "ALTER TABLE a ADD x int NOT NULL;\n"),
    ]);
    shows!("gen_down_that_rows_are_in_the_way_of", it.run("gen --down"));
    shows!("the_down_sides_that_rows_are_in_the_way_of", downs(&it));
    shows!("verify_with_rows", it.run("verify"));
    shows!("verify_with_rows_as_json", it.run("verify --format json"));
}

#[test]
fn lists_all_that_is_wrong_with_rows() {
    let it = place(&[
        ("migrations/1_a.sql", "CREATE TABLE a (id serial PRIMARY KEY, n text UNIQUE);\n"),
        ("migrations/down/1_a.sql", "DROP TABLE a;\n"),
        ("migrations/2_rows.sql", "ALTER TABLE a ADD b int;\nINSERT INTO a (n) VALUES ('two');\n"),
        ("migrations/down/2_rows.sql", "DELETE FROM a WHERE n = 'two';\nALTER TABLE a DROP b;\n"),
        ("migrations/3_b.sql", "ALTER TABLE a ADD c int;\n"),
        ("migrations/down/3_b.sql", "ALTER TABLE a DROP c;\nUPDATE a SET n = 'n' || id;\n"),
        ("migrations/4_c.sql", "ALTER TABLE a ADD d int;\n"),
        ("migrations/down/4_c.sql", "ALTER TABLE a DROP d;\nALTER SEQUENCE a_id_seq RESTART;\n"),
        ("migrations/5_d.sql", "ALTER TABLE a ADD e int;\n"),
        ("migrations/down/5_d.sql", "SELECT 1;\n"),
    ]);
    shows!("verify_of_what_is_wrong_with_rows", it.run("verify"));
}

#[test]
fn proves_within_the_scope() {
    let settings = "[desired]\nschemas = [\"public\"]\nexclude = [\"view *.of_*\"]\n";
    let it = place(&[
        ("upfront.toml", settings),
        (
            "migrations/1_a.sql",
            "CREATE SCHEMA IF NOT EXISTS other;\n\
             CREATE TABLE IF NOT EXISTS other.left_alone ();\n\
             CREATE TABLE a (id int);\n",
        ),
        ("migrations/down/1_a.sql", "DROP TABLE a;\n"),
        ("migrations/2_b.sql", "CREATE OR REPLACE VIEW of_one AS SELECT 1 AS one;\n"),
    ]);
    shows!("gen_down_within_the_scope", it.run("gen --down"));
    shows!("verify_within_the_scope", it.run("verify"));
}

#[test]
fn an_old_down_side_that_does_nothing_is_a_warning() {
    let it = place(&[
        ("upfront.toml", SETTINGS),
        ("schema.sql", "CREATE TABLE a (id int PRIMARY KEY, n text);\n"),
        ("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);\n"),
        ("migrations/down/1_a.sql", "SELECT 1;\n"),
    ]);
    shows!("gen_after_a_wrong_down_side", it.run("gen n"));
    assert!(it.files().contains(&"migrations/2_n.sql".to_owned()));
}

#[test]
fn a_body_that_does_not_work_is_told() {
    // As `pg_dump` writes it.
    let functions = "SET check_function_bodies = off;\n\
                     CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT two()';\n\
                     CREATE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT one() + gone()';\n";
    let it = place(&[
        ("upfront.toml", SETTINGS),
        ("schema.sql", functions),
        ("nothing.sql", "-- empty\n"),
    ]);
    let shown = it.run("gen x --dry-run");
    let proven = shown.split_once("proven:").unwrap().1;
    shows!("gen_of_a_body_that_does_not_work", proven.split_once("_x").unwrap().1);
    shows!("diff_of_a_body_that_does_not_work", it.run("diff --from nothing.sql --to schema.sql"));
}

#[test]
fn finds_drift_of_every_kind() {
    let there = upfront_scratch::Server::shared().unwrap().database().unwrap();
    let server = Server::shared().unwrap();
    let settings = "[env.dev]\nurl = \"${DATABASE_URL}\"\n[desired]\nschemas = [\"public\"]\n\
                    exclude = [\"table public.legacy_*\", \"view public.legacy_*\", \"function public.x*\"]\n";
    let it = Place::on(
        &there,
        &[
            ("upfront.toml", settings),
            (
                "migrations/1_a.sql",
                "CREATE TABLE a (id int);\n\
             CREATE VIEW v AS SELECT a.id FROM a JOIN a AS b ON b.id = a.id;\n\
             CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n\
             GRANT SELECT ON a TO PUBLIC;\n",
            ),
        ],
    )
    .variable("UPFRONT_SCRATCH_URL", &server.url("postgres"));
    it.run("hash");
    it.run("up");
    there
        .execute(
            "create schema other; create table other.t (); create table legacy_t (id serial primary key); create view legacy_v as select id from legacy_t;
             create function x1() returns int language sql as 'select 1'",
        )
        .unwrap();
    shows!("check_schema_of_what_is_left_out", it.run("check --schema"));
    there
        .execute(
            "create or replace view v as select a.id + 1 as id from a join a as b on b.id = a.id; revoke select on a from public;
             create or replace function f() returns int language sql as 'select 2';
             grant insert on a to public",
        )
        .unwrap();
    shows!("check_schema_that_drifted_in_many_ways", it.run("check --schema"));
}

#[test]
fn a_certain_failure_is_allowed_by_name() {
    let with = |schema: &str, arguments: &str| {
        let it = place(&[
            ("upfront.toml", SETTINGS),
            ("schema.sql", schema),
            ("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);\n"),
            ("migrations/down/1_a.sql", "DROP TABLE a;\n"),
        ]);
        it.run(arguments)
    };
    let certain = "CREATE TABLE a (id int PRIMARY KEY, n int, x int NOT NULL);\n";
    let shown = [
        with(certain, "gen x"),
        with(certain, "gen x --allow data-loss"),
        with(certain, "gen x --allow may-fail --dry-run"),
        // What rows may allow needs nothing, on neither side.
        with(
            "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL UNIQUE CHECK (n > 0) REFERENCES a);",
            "gen x --dry-run",
        ),
    ];
    shows!("gen_what_fails_for_certain", shown.join("\n"));
}

#[test]
fn what_no_row_passes_is_allowed_by_name() {
    let with = |settings: &str| {
        let it = place(&[
            ("upfront.toml", settings),
            (
                "schema.sql",
                "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL CHECK (n = 4711));\n",
            ),
            ("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL);\n"),
            ("migrations/down/1_a.sql", "DROP TABLE a;\n"),
        ]);
        let shown = ["gen x", "gen x --format json", "gen x --allow structure-only --dry-run"];
        shown.map(|arguments| it.run(arguments)).join("\n")
    };
    shows!("gen_what_no_row_passes", with(SETTINGS));
    let in_one = format!("{SETTINGS}\n[gen]\nonline = false\n");
    shows!("gen_what_no_row_passes_in_one_transaction", with(&in_one));
}
