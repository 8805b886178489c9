//! Comments in SQL that say what was renamed and what rows get.

use upfront_scratch::Server;

use crate::place::{Place, shows};

const FIRST: &str = "\
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE users (id bigint PRIMARY KEY, nick text, mood mood, CONSTRAINT short CHECK (id > 0));
CREATE INDEX by_nick ON users (nick);
CREATE FUNCTION greet(name text) RETURNS text LANGUAGE sql AS 'SELECT name';
CREATE VIEW names AS SELECT nick FROM users;
";
const DOWN: &str = "\
DROP VIEW names;
DROP FUNCTION greet(text);
DROP TABLE users;
DROP TYPE mood;
";

const WANTED: &str = "\
-- renamed from: mood
CREATE TYPE feeling AS ENUM (
  'sad',
  'fine' -- renamed from: ok
);

CREATE TABLE people ( -- @renamed from=users
  id bigint PRIMARY KEY,
  handle text, -- renamed from: nick
  feeling feeling, /* @renamed from=\"mood\" */
  -- fill: lower(handle)
  key text NOT NULL,
  -- renamed from: short
  CONSTRAINT positive CHECK (id > 0)
);
-- renamed from: by_nick
CREATE INDEX by_handle ON people (handle);
-- renamed from: greet
CREATE FUNCTION hello(name text) RETURNS text LANGUAGE sql AS 'SELECT name';
CREATE VIEW handles AS SELECT handle AS nick FROM people; -- renamed from: names
";

fn wanting(schema: &str) -> Place {
    let server = Server::shared().unwrap();
    let it = Place::with(&[
        ("upfront.toml", "[desired]\nsql = \"schema.sql\"\n"),
        ("migrations/1_a.sql", FIRST),
        ("migrations/down/1_a.sql", DOWN),
        ("schema.sql", schema),
    ]);
    assert!(it.run("hash").starts_with("exit code 0"));
    it.variable("UPFRONT_SCRATCH_URL", &server.url("postgres"))
}

#[test]
fn says_what_was_renamed_and_what_rows_get() {
    let it = wanting(WANTED);
    shows!("annotations_that_are_checked", it.run("gen --check"));
    shows!("diff_by_annotations", it.run("diff --from migrations --to schema.sql"));
    let shown = it.run("gen people");
    let [up, down] = ["migrations/2_people.sql", "migrations/down/2_people.sql"];
    shows!("annotations", format!("{shown}--- up\n{}--- down\n{}", it.read(up), it.read(down)));
    // They may stay: their old names are gone.
    shows!("annotations_that_were_applied", it.run("gen again"));
}

#[test]
fn options_win_over_annotations() {
    let renamed = "CREATE TABLE users (id bigint PRIMARY KEY, nick text, -- renamed from: mood\n ";
    let schema = FIRST.replace(
        "CREATE TABLE users (id bigint PRIMARY KEY, nick text, mood mood,",
        &format!("{renamed} feeling mood,"),
    );
    let check = |arguments: &str| wanting(&schema).run(arguments);
    let misplaced = check("gen x");
    let schema =
        FIRST.replace(" mood mood,", "\n -- renamed from: mood\n feeling mood, felt mood,");
    let check = |arguments: &str| wanting(&schema).run(arguments);
    let shown = [
        misplaced,
        check("gen x --dry-run"),
        check("gen x --dry-run --rename users.mood=felt"),
        check("gen x --dry-run --no-rename users.mood --allow data-loss"),
    ];
    shows!("annotations_and_options", shown.join("\n"));
}

#[test]
fn a_fill_is_for_rows_that_are_there() {
    let users = "CREATE TABLE users (id bigint PRIMARY KEY, mood mood, \
                 CONSTRAINT short CHECK (id > 0),\n  nick text NOT NULL DEFAULT '?' -- fill: id::text\n);";
    let (before, after) = FIRST.split_once("CREATE TABLE").unwrap();
    let after = after.split_once('\n').unwrap().1;
    let filled = format!("{before}{users}\n{after}");
    shows!("fill_of_a_column_with_a_default", wanting(&filled).run("gen x --dry-run"));
    let new = filled.replace("nick text NOT NULL", "nick text,\n age text NOT NULL");
    shows!("fill_of_a_new_column_with_a_default", wanting(&new).run("gen x"));
    // Where the table is new there are none.
    let table = format!("{FIRST}CREATE TABLE fresh (\n  -- fill: 1\n  id int NOT NULL\n);\n");
    shows!("fill_in_a_new_table", wanting(&table).run("gen x --dry-run"));
}

#[test]
fn refuses_annotations_that_are_on_nothing() {
    let check = |schema: &str| wanting(schema).run("gen x");
    let shown = [
        check("CREATE TABLE users (id int);\n-- renamed from: people\n"),
        check("-- renamed from: a b\nCREATE TABLE users (id int);\n"),
        check("-- renamed from: nick\nDROP TABLE IF EXISTS users;\n"),
        check(
            "CREATE TABLE a (id int);\n-- renamed from: x\nCREATE INDEX i ON a (id);\nDROP INDEX i;",
        ),
        check(
            "CREATE TABLE a (nick int, -- renamed from: users\n handle int);\nCREATE TABLE users (nick int, handle int -- renamed from: nick\n);",
        ),
        check("CREATE TABLE a (\n  id int,\n  -- fill:\n  b int NOT NULL\n);\n"),
    ];
    shows!("annotations_on_nothing", shown.join("\n"));
}
