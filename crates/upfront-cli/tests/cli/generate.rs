//! `gen`, `diff`, `schema` and `check --schema`: what is written, and what is refused.

use std::fmt::Write;

use upfront_scratch::Server;

use crate::place::{Place, database, shows};

const SETTINGS: &str = "[desired]\nsql = \"schema.sql\"\n";
const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text);\n";
const FIRST: (&str, &str) = ("migrations/1000_users.sql", USERS);
const FIRST_DOWN: (&str, &str) = ("migrations/down/1000_users.sql", "DROP TABLE users;\n");

/// A folder with these files on a scratch server that all tests share.
fn place(files: &[(&str, &str)]) -> Place {
    let server = Server::shared().unwrap();
    Place::with(files).variable("UPFRONT_SCRATCH_URL", &server.url("postgres"))
}

/// One migration with a table of users, and another schema that is wanted.
fn wanting(schema: &str) -> Place {
    let it = place(&[("upfront.toml", SETTINGS), FIRST, FIRST_DOWN, ("schema.sql", schema)]);
    assert!(it.run("hash").starts_with("exit code 0"));
    it
}

/// What `gen` says, and the files that came.
fn written(it: &Place, arguments: &[&str]) -> String {
    let before = it.files();
    let mut shown = it.run_in("", arguments);
    for file in it.files().iter().filter(|it| !before.contains(it)) {
        let is_sum = file.ends_with("atlas.sum");
        let text = if is_sum { "(a sum)\n".to_owned() } else { it.read(file) };
        let _ = write!(shown, "--- {file}\n{text}");
    }
    assert!(it.run("hash --check").starts_with("exit code 0"));
    shown
}

#[test]
fn writes_a_first_migration_with_its_folder() {
    let it = place(&[("upfront.toml", SETTINGS), ("schema.sql", USERS)]);
    let shown = it.run("gen add_users");
    shows!("a_first_migration", unversioned(&shown));
    let files: Vec<_> = it.files().iter().map(|it| unversioned(it)).collect();
    shows!("the_files_of_a_first_migration", files.join("\n"));
    let files = it.files();
    let sides = files.iter().filter(|it| it.ends_with("add_users.sql"));
    let texts: Vec<_> = sides.map(|file| it.read(file)).collect();
    shows!("the_text_of_a_first_migration", texts.join("---\n"));
    assert!(it.run("verify").starts_with("exit code 0"));
    shows!("nothing_to_do", it.run("gen again"));
}

/// Times in names of files.
fn unversioned(text: &str) -> String {
    let mut shown = text.to_owned();
    while let Some(at) = shown.find("/20").or_else(|| shown.find(" 20")) {
        shown.replace_range(at + 1..at + 15, "VERSION");
    }
    shown
}

#[test]
fn writes_what_an_expert_would() {
    let check = |name: &str, schema: &str, more: &[&str]| {
        let it = wanting(schema);
        let shown = written(&it, &[&["gen", "change"], more].concat());
        assert!(it.run("gen --check").starts_with("exit code 0"), "{shown}");
        insta::with_settings!({ filters => crate::place::FILTERS.to_vec() }, {
            insta::assert_snapshot!(format!("gen_{name}"), shown);
        });
    };
    let column = "CREATE TABLE users (id bigint PRIMARY KEY, name text, age int);\n";
    check("a_column", column, &[]);
    let index = format!("{USERS}CREATE INDEX ON users (lower(name));\n");
    check("an_index", &index, &[]);
    let more = format!("{USERS}CREATE TABLE posts (id int, author bigint REFERENCES users);\n");
    check("a_table", &more, &[]);
    let bare = "CREATE TABLE users (id bigint PRIMARY KEY);\n";
    check("a_column_dropped", bare, &["--allow", "data-loss"]);
    let narrow = "CREATE TABLE users (id int PRIMARY KEY, name varchar(40));\n";
    check("columns_retyped", narrow, &[]);
    let retyped = "CREATE TABLE users (id bigint PRIMARY KEY, name int);\n";
    check("a_column_retyped_as_told", retyped, &["--using", "users.name=length(name)"]);
    let filled = "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, nick text NOT \
                  NULL);\n";
    let fills = ["--fill", "users.nick='n' || id", "--fill", "users.name='?'"];
    check("columns_filled", filled, &fills);
    let handle = "CREATE TABLE users (id bigint PRIMARY KEY, handle text);\n";
    check("a_column_renamed", handle, &["--rename", "users.name=handle"]);
    check("a_column_not_renamed", handle, &["--no-rename", "users.name", "--allow", "data-loss"]);
    let people = "CREATE TABLE people (id bigint PRIMARY KEY, handle text);\n";
    let both = ["--rename", "users.name=handle", "--rename", "users=people"];
    check("a_table_renamed", people, &both);
}

/// Two tables, one with partitions.
const MANY: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text, team int);\n\
                    CREATE TABLE teams (id int PRIMARY KEY);\n\
                    CREATE TABLE events (at date) PARTITION BY RANGE (at);\n\
                    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (MINVALUE) TO (MAXVALUE);\n\
                    CREATE INDEX users_name ON users (name);\n";
const MANY_DOWN: &str = "DROP TABLE users, teams, events;\n";

/// What `gen` writes to come from these tables to others.
fn many(name: &str, settings: &str, schema: &str, more: &[&str]) {
    let first = ("migrations/1000_many.sql", MANY);
    let down = ("migrations/down/1000_many.sql", MANY_DOWN);
    let it = place(&[("upfront.toml", settings), first, down, ("schema.sql", schema)]);
    assert!(it.run("hash").starts_with("exit code 0"));
    let shown = written(&it, &[&["gen", "change"], more].concat());
    assert!(it.run("gen --check").starts_with("exit code 0"), "{shown}");
    insta::with_settings!({ filters => crate::place::FILTERS.to_vec() }, {
        insta::assert_snapshot!(format!("gen_{name}"), shown);
    });
}

/// The tables with a key of two columns, one of which is new.
fn filled_key() -> String {
    MANY.replace("id bigint PRIMARY KEY", "id bigint").replace(
        "team int)",
        "team int, part int NOT NULL, CONSTRAINT users_pkey PRIMARY KEY (id, part))",
    )
}

fn online(name: &str, schema: &str, more: &[&str]) {
    many(&format!("online_{name}"), SETTINGS, schema, more);
}

#[test]
fn columns_are_not_taken_for_others() {
    let it = wanting(
        "CREATE TABLE users (id bigint PRIMARY KEY, name text);\n\
         CREATE FUNCTION all_users() RETURNS SETOF users LANGUAGE sql AS 'SELECT id, name FROM users';\n\
         CREATE VIEW shown AS SELECT x.name FROM all_users() x;\n",
    );
    written(&it, &["gen", "a"]);
    let table = "CREATE TABLE users (id bigint PRIMARY KEY, nick text, name text);\n";
    let view = "CREATE VIEW shown AS SELECT x.name FROM all_users() x;\n";
    let by_place = "CREATE FUNCTION all_users() RETURNS SETOF users LANGUAGE sql AS \
                    'SELECT id, nick, name FROM users';\n";
    it.write("schema.sql", &format!("{table}{by_place}{view}"));
    shows!("gen_where_columns_are_taken_for_others", it.run("gen b"));
    let by_name = by_place.replace("id, nick, name", "*");
    it.write("schema.sql", &format!("{table}{by_name}{view}"));
    shows!("gen_where_columns_are_named", written(&it, &["gen", "b"]));
}

#[test]
fn renames_what_differs_by_its_name_alone() {
    let it = wanting(
        "CREATE TABLE users (id bigint CONSTRAINT users_id PRIMARY KEY, name text);\n\
         CREATE INDEX users_name ON users (name);\n\
         ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '');\n",
    );
    written(&it, &["gen", "a"]);
    let renamed = "CREATE TABLE users (id bigint PRIMARY KEY, name text);\n\
                   CREATE INDEX users_by_name ON users (name);\n\
                   ALTER TABLE users ADD CONSTRAINT has_name CHECK (name <> '');\n";
    it.write("schema.sql", renamed);
    let shown = written(&it, &["gen", "b"]);
    insta::with_settings!({ filters => crate::place::FILTERS.to_vec() }, {
        insta::assert_snapshot!("gen_renames_keys", shown);
    });
}

#[test]
fn builds_indexes_while_programs_go_on() {
    let check = online;
    check("index", &format!("{MANY}CREATE UNIQUE INDEX ON users (team);\n"), &[]);
    check("index_of_partitions", &format!("{MANY}CREATE INDEX ON events (at);\n"), &[]);
    check("index_dropped", &MANY.replace("CREATE INDEX users_name ON users (name);\n", ""), &[]);
    check("index_changed", &MANY.replace("(name);", "(lower(name));"), &[]);
    check("unique", &format!("{MANY}ALTER TABLE users ADD UNIQUE (team);\n"), &[]);
}

#[test]
fn checks_rows_while_programs_go_on() {
    let check = online;
    let key = "ALTER TABLE users ADD FOREIGN KEY (team) REFERENCES teams;\n";
    check("foreign_key", &format!("{MANY}{key}"), &[]);
    check("check", &format!("{MANY}ALTER TABLE users ADD CHECK (team > 0);\n"), &[]);
    check("not_null", &MANY.replace("team int)", "team int NOT NULL)"), &[]);
}

#[test]
fn fills_columns_while_programs_go_on() {
    let check = online;
    let filled = MANY.replace("team int)", "team int NOT NULL, born date NOT NULL)");
    check("filled", &filled, &["--fill", "users.team=0", "--fill", "users.born=now()"]);
    let one = MANY
        .replace("team int)", "team int NOT NULL)")
        .replace("name text,", "name text NOT NULL,");
    check("one_of_two_filled", &one, &["--fill", "users.team=0"]);
    let key = filled_key();
    check("key_of_a_filled_column", &key, &["--fill", "users.part=1"]);
}

#[test]
fn may_be_told_not_to_go_online() {
    let key = filled_key();
    let plain = format!("{SETTINGS}[gen]\nonline = false\n");
    let both = "CREATE UNIQUE INDEX ON users (team);\nALTER TABLE users ADD CHECK (team > 0);\n";
    many("not_online", &plain, &format!("{MANY}{both}"), &[]);
    many("not_online_with_a_filled_key", &plain, &key, &["--fill", "users.part=1"]);
}

#[test]
fn what_is_said_counts() {
    let it = wanting("CREATE TABLE users (id bigint PRIMARY KEY, name point);\n");
    let options = ["--using", "users.name=NULL::point", "--using-down", "users.name=name::text"];
    let shown = written(&it, &[&["gen", "point", "--not-breaking"], options.as_slice()].concat());
    shows!("gen_of_another_type_both_ways", shown);
    it.write("schema.sql", "CREATE TABLE users (id bigint PRIMARY KEY, name date);\n");
    let shown = written(&it, &["gen", "date", "--using", "users.name=now()"]);
    shows!("gen_without_a_way_back", shown);
    assert!(it.run("gen by_hand --empty").contains("wrote migrations/1003_by_hand.sql"));
}

#[test]
fn odd_names_are_quoted_for_the_shell() {
    let it = place(&[
        ("upfront.toml", SETTINGS),
        ("migrations/1_a.sql", "CREATE TABLE \"My t\" (\"it's\" int, id int);\n"),
        ("schema.sql", "CREATE TABLE \"My t\" (\"select\" int, id int);\n"),
    ]);
    it.run("hash");
    shows!("gen_asks_with_odd_names", it.run("gen x"));
    let shown = written(&it, &["gen", "x", "--rename", "\"My t\".it's=select"]);
    shows!("gen_with_odd_names", shown);
}

#[test]
fn a_dry_run_writes_nothing() {
    let it = wanting("CREATE TABLE users (id bigint PRIMARY KEY);\n");
    let before = it.files();
    shows!("gen_dry_run", it.run("gen x --allow data-loss --dry-run"));
    shows!("gen_dry_run_as_json", it.run("gen x --allow data-loss --dry-run --format json"));
    assert_eq!(it.files(), before);
}

#[test]
fn a_value_of_an_enum_is_committed_before_it_is_used() {
    let it = place(&[
        ("upfront.toml", SETTINGS),
        ("migrations/1_a.sql", "CREATE TYPE mood AS ENUM ('sad');\nCREATE TABLE a (m mood);\n"),
        ("migrations/down/1_a.sql", "DROP TABLE a;\nDROP TYPE mood;\n"),
        (
            "schema.sql",
            "CREATE TABLE a (m mood DEFAULT 'ok');CREATE TYPE mood AS ENUM ('sad','ok')",
        ),
    ]);
    it.run("hash");
    shows!("gen_enum_value", written(&it, &["gen", "mood"]));
    it.write("schema.sql", "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE a (m mood)");
    shows!("gen_enum_value_removed", written(&it, &["gen", "gone", "--allow", "structure-only"]));
}

/// A table, a view and a trigger, with what may change in them. Views of two tables are printed
/// alike by each major version; those of one have the table's name up to 15 only.
fn guarded(labels: &str, default: &str, columns: &str, events: &str) -> String {
    format!(
        "CREATE TYPE mood AS ENUM ({labels});\n\
         CREATE TABLE a (m mood DEFAULT '{default}', name text{columns});\n\
         CREATE VIEW names AS SELECT a.name, a.m FROM a JOIN a AS b ON b.name = a.name;\n\
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n\
         CREATE TRIGGER t BEFORE {events} ON a FOR EACH ROW EXECUTE FUNCTION f();\n"
    )
}

#[test]
fn what_goes_to_come_back_does_so_in_one_transaction() {
    let first = guarded("'sad'", "sad", ", n int, CHECK (n > 0)", "INSERT");
    let it = place(&[("upfront.toml", SETTINGS), ("schema.sql", &first)]);
    it.write("migrations/1000_init.sql", &first);
    it.write(
        "migrations/down/1000_init.sql",
        "DROP TABLE a CASCADE;\nDROP FUNCTION f;\nDROP TYPE mood;\n",
    );
    it.run("hash");
    let seen = first.replace("SELECT a.name, a.m", "SELECT a.m, a.name");
    it.write(
        "schema.sql",
        &seen.replace("'sad')", "'sad','ok')").replace("DEFAULT 'sad'", "DEFAULT 'ok'"),
    );
    shows!("gen_enum_value_under_a_view", written(&it, &["gen", "value"]));
    let second = guarded("'sad','ok'", "ok", ", n int, CHECK (n > 1)", "UPDATE");
    it.write("schema.sql", &second);
    shows!(
        "gen_down_in_one_transaction",
        written(&it, &["gen", "trigger", "--allow", "structure-only"])
    );
}

#[test]
fn values_that_read_differently_may_stay() {
    let first = "CREATE TYPE place AS (street text);\nCREATE TABLE a (id int PRIMARY KEY, at place, \
                 all_of numeric(10,4)[], n text NOT NULL DEFAULT 'x');\n";
    let it = place(&[
        ("upfront.toml", SETTINGS),
        ("migrations/1000_a.sql", first),
        ("migrations/down/1000_a.sql", "DROP TABLE a;\nDROP TYPE place;\n"),
        ("schema.sql", &first.replace("street text", "street text, town text")),
    ]);
    it.run("hash");
    let added = written(&it, &["gen", "town"]);
    it.write(
        "schema.sql",
        &first.replace("street text", "street text, town text").replace("10,4", "10,2"),
    );
    let refused = it.run("gen cut");
    it.write(
        "schema.sql",
        &first.replace("street text", "street text, town text").replace(" DEFAULT 'x'", ""),
    );
    let breaking = written(&it, &["gen", "wanted"]);
    shows!("gen_of_fields_and_arrays_and_a_default", [added, refused, breaking].join("\n"));
}

#[test]
fn rows_of_a_partition_stay_without_the_table_above() {
    let above = "CREATE TABLE t (id int PRIMARY KEY, d int) PARTITION BY RANGE (id);\n";
    let part = "CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (100);\n";
    let it = place(&[
        ("upfront.toml", SETTINGS),
        ("migrations/1000_a.sql", &format!("{above}{part}")),
        ("migrations/down/1000_a.sql", "DROP TABLE t;\n"),
        ("schema.sql", &format!("{above}CREATE TABLE p (id int PRIMARY KEY, d int);\n")),
    ]);
    it.run("hash");
    let detached = written(&it, &["gen", "detach"]);
    it.write("schema.sql", &format!("{above}{part}"));
    let attached = written(&it, &["gen", "attach"]);
    shows!("gen_of_a_partition_that_goes_and_comes", [detached, attached].join("\n"));
}

#[test]
fn a_value_of_an_enum_is_renamed() {
    let it = place(&[
        ("upfront.toml", SETTINGS),
        (
            "migrations/1_a.sql",
            "CREATE TYPE mood AS ENUM ('sad', 'ok');\nCREATE TABLE a (m mood);\n",
        ),
        ("migrations/down/1_a.sql", "DROP TABLE a;\nDROP TYPE mood;\n"),
        ("schema.sql", "CREATE TYPE mood AS ENUM ('it''s', 'ok'); CREATE TABLE a (m mood);"),
    ]);
    it.run("hash");
    shows!("gen_enum_value_asks", it.run("gen x"));
    let shown = [
        it.run("gen x --rename mood.sad=ok"),
        it.run("gen x --rename mood.none=ok"),
        written(&it, &["gen", "x", "--rename", "mood.sad=it's"]),
    ];
    shows!("gen_enum_value_renamed", shown.join("\n"));
    it.remove("migrations/down/2_x.sql");
    it.run("hash");
    shows!("gen_down_enum_value_renamed", written(&it, &["gen", "--down"]));
}

#[test]
fn check_tells_the_differences_and_writes_nothing() {
    let it = wanting("CREATE TABLE users (id int PRIMARY KEY);CREATE SEQUENCE s");
    shows!("gen_check", it.run("gen --check"));
    shows!("gen_check_as_json", it.run("gen --check --format json"));
}

#[test]
fn refuses_what_is_not_told() {
    let check = |schema: &str, arguments: &str| wanting(schema).run(arguments);
    let shown = [
        check("SELECT 1", "gen x"),
        check("CREATE TABLE users (id bigint PRIMARY KEY, handle text)", "gen x"),
        check("CREATE TABLE people (id bigint PRIMARY KEY, name text)", "gen x"),
        check("CREATE TABLE users (id bigint PRIMARY KEY, name text, age int NOT NULL)", "gen x"),
        check("CREATE TABLE users (id tsvector PRIMARY KEY, name text)", "gen x"),
        check("CREATE TABLE users (id numeric PRIMARY KEY, name text, x inet[])", "gen x/y"),
    ];
    shows!("gen_refused", shown.join("\n"));
}

#[test]
fn refuses_answers_that_fit_nothing() {
    let check = |arguments: &str| {
        wanting("CREATE TABLE users (id bigint PRIMARY KEY, handle text)").run(arguments)
    };
    let shown = [
        check("gen x --rename users.nick=handle"),
        check("gen x --rename users.name=nick"),
        check("gen x --rename users.id=handle"),
        check("gen x --rename users"),
        check("gen x --rename users.name=handle --fill users.handle=1"),
        check("gen x --rename users.name=handle --using users.id=1"),
        check("gen x --fill nick=1"),
        check("gen"),
    ];
    shows!("gen_answers_that_fit_nothing", shown.join("\n"));
}

#[test]
fn mistakes_in_what_is_wanted_have_a_place() {
    let sql = wanting("CREATE TABLE a (\n  id txt\n);\n").run("gen x");
    shows!("gen_a_mistake_in_sql", sql);
    let shown = wanting("CREATE TABLE a ();\nCREATE EXTENSION no_such_thing;\n").run("gen x");
    shows!("gen_an_extension_that_is_missing", shown);
    let with = |settings: &str| place(&[("upfront.toml", settings)]).run("gen x");
    let shown = [
        with(""),
        with("[desired]\nsql = \"no.sql\"\n"),
        with("[desired]\nsql = [\"upfront.toml\", 1]\n"),
        with("[desired]\nschemas = [\"a\"]\n"),
        with("[desired]\nmodel = 1\n"),
        with("[desired]\ncommand = \"true\"\nexclude = [\"furniture x\"]\n"),
        with("[gen]\nonline = \"no\"\n"),
        with("[gen]\nofline = false\n"),
        with("[scratch]\nversion = \"new\"\n"),
        with("[scratch]\nmajor = 15\n"),
        with("desired = 1\n"),
    ];
    shows!("gen_mistakes_in_upfront_toml", shown.join("\n"));
}

#[test]
fn a_program_may_say_what_is_wanted() {
    let with = |command: &str| {
        let settings = format!("[desired]\ncommand = '''{command}'''\n");
        place(&[("upfront.toml", &settings)]).run("gen x --dry-run")
    };
    let shown = [
        with("echo 'CREATE TABLE printed ();'"),
        with("echo no >&2; echo 'line 2' >&2; exit 3"),
        with("true"),
        with("echo 'CREATE TABEL x'"),
    ];
    shows!("gen_of_a_program", shown.map(|it| unversioned(&it)).join("\n"));
}

#[test]
fn what_is_left_out_is_left_alone() {
    let settings = "[desired]\nsql = [\"schema\"]\nschemas = [\"public\"]\n\
                    exclude = [\"function public.x*\", \"table public.legacy_*\"]\n";
    let function = "CREATE FUNCTION x1() RETURNS int LANGUAGE sql AS 'SELECT 1';\n";
    let it = place(&[
        ("upfront.toml", settings),
        ("migrations/1_a.sql", "CREATE SCHEMA other;\nCREATE TABLE legacy_a (i int);\n"),
        ("schema/b/two.sql", function),
        ("schema/one.sql", "CREATE TABLE one (i int);\n"),
        ("schema/notes.txt", "none"),
    ]);
    it.run("hash");
    shows!("gen_with_what_is_left_out", written(&it, &["gen", "one"]));
}

#[test]
fn another_version_is_refused() {
    let other = if Server::shared().unwrap().version().major() == 14 { 15 } else { 14 };
    let settings = format!("{SETTINGS}[scratch]\nversion = {other}\n");
    let it = place(&[("upfront.toml", &settings), ("schema.sql", USERS)]);
    let shown = it.run("gen x");
    assert!(shown.starts_with("exit code 1") && shown.contains(&other.to_string()), "{shown}");
}

/// Five files as Atlas has them, without down sides.
const ATLAS: [(&str, &str); 5] = [
    ("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, name text);\n"),
    ("migrations/2_rows.sql", "INSERT INTO a VALUES (1, 'one'), (2, NULL);\n"),
    ("migrations/3_rename.sql", "ALTER TABLE a RENAME name TO title;\n"),
    ("migrations/4_strict.sql", "ALTER TABLE a ADD code text NOT NULL DEFAULT '';\n"),
    ("migrations/5_drop.sql", "ALTER TABLE a DROP code;\nUPDATE a SET title = '' WHERE id = 7;\n"),
];

#[test]
fn writes_missing_down_sides() {
    let it = place(&ATLAS);
    it.run("hash");
    let before: Vec<_> = it.files().iter().map(|file| it.read(file)).collect();
    shows!("gen_down_dry_run", it.run("gen --down --dry-run"));
    shows!("gen_down", written(&it, &["gen", "--down"]));
    let files = it.files();
    let ups = files.iter().filter(|file| !file.contains("/down/"));
    assert!(ups.map(|file| it.read(file)).eq(before), "no up side was touched");
    shows!("verify_of_generated_down_sides", it.run("verify"));
    shows!("gen_down_again", it.run("gen --down --format json"));
}

/// Names that were traded, or taken by something new, say nothing of what is what.
#[test]
fn names_that_were_traded_are_traded_back() {
    let it = place(&[
        ("upfront.toml", SETTINGS),
        (
            "migrations/1_a.sql",
            "CREATE TYPE mood AS ENUM ('sad');\nCREATE TABLE a (id int, x text, y text);\n\
             CREATE TABLE b (id int, m mood);\n",
        ),
        (
            "migrations/2_columns.sql",
            "ALTER TABLE a RENAME x TO z;\nALTER TABLE a RENAME y TO x;\n\
             ALTER TABLE a RENAME z TO y;\n",
        ),
        (
            "migrations/3_tables.sql",
            "ALTER TABLE a RENAME TO c;\nALTER TABLE b RENAME TO a;\nALTER TABLE c RENAME TO b;\n",
        ),
        ("migrations/4_new.sql", "ALTER TABLE a RENAME TO was;\nCREATE TABLE a (id int);\n"),
        (
            "migrations/5_value.sql",
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'low';\nALTER TYPE mood RENAME TO feeling;\n",
        ),
    ]);
    it.run("hash");
    shows!("gen_down_of_traded_names", written(&it, &["gen", "--down"]));
    it.write("migrations/down/2_columns.sql", "-- upfront:nothing-to-undo a test\n");
    it.run("hash");
    shows!("verify_of_traded_names", it.run("verify"));
}

#[test]
fn lists_what_has_no_way_back() {
    let it = place(&[
        ("migrations/1_a.sql", "CREATE TABLE a (p point);\n"),
        ("migrations/2_b.sql", "ALTER TABLE a ALTER p TYPE int USING p[0];\n"),
        ("migrations/3_c.sql", "-- upfront:irreversible on purpose\n\nCREATE TABLE c ();\n"),
    ]);
    it.run("hash");
    shows!("gen_down_without_a_way_back", written(&it, &["gen", "--down"]));
}

#[test]
fn diff_prints_sql_or_nothing() {
    let it = place(&[
        ("a.sql", USERS),
        ("b/b.sql", "CREATE TABLE users (id bigint PRIMARY KEY, handle text);\n"),
        ("c.sql", "CREATE TABLE users (id bigint PRIMARY KEY, name point);\n"),
        ("d.sql", "CREATE TABLE users (id serial PRIMARY KEY"),
        ("points.sql", "CREATE TABLE users (id bigint PRIMARY KEY, name date);\n"),
        FIRST,
    ]);
    it.run("hash");
    shows!("diff", it.run("diff --from a.sql --to b"));
    shows!(
        "diff_with_a_rename",
        it.run("diff --from migrations --to b --rename users.name=handle")
    );
    it.write("f.sql", &format!("{USERS}CREATE INDEX ON users (name);\n"));
    shows!("diff_online", it.run("diff --from a.sql --to f.sql --online"));
    shows!("diff_of_nothing", it.run("diff --from migrations --to a.sql"));
    shows!("diff_that_cannot_be_written", it.run("diff --from c.sql --to points.sql"));
    shows!("diff_of_a_mistake", it.run("diff --from a.sql --to d.sql"));
    shows!("diff_of_what_is_not_there", it.run("diff --from a.sql --to e.sql"));
    let there = database();
    there.execute(USERS).unwrap();
    let shown = it.run(&format!("diff --from b --to {} --format json", there.url()));
    shows!("diff_to_a_database", shown);
}

#[test]
fn schema_prints_all_in_order() {
    let it = place(&[
        ("upfront.toml", SETTINGS),
        (
            "schema.sql",
            "CREATE TABLE b (a int REFERENCES a);\nCREATE TABLE a (id int PRIMARY KEY);\n",
        ),
        FIRST,
    ]);
    it.run("hash");
    shows!("schema", it.run("schema"));
    let printed = it.run("schema --from schema.sql");
    shows!("schema_of_a_file", printed);
}

#[test]
fn check_finds_drift() {
    let there = database();
    let server = Server::shared().unwrap();
    let it = Place::on(&there, &[FIRST, FIRST_DOWN])
        .variable("UPFRONT_SCRATCH_URL", &server.url("postgres"));
    it.run("hash");
    shows!("check_schema_of_what_is_pending", it.run("check --schema"));
    it.run("up");
    shows!("check_schema", it.run("check --schema"));
    shows!("check_schema_as_json", it.run("check --schema --format json"));
    there.execute("alter table users add extra int; create table goose_db_version ()").unwrap();
    shows!("check_schema_that_drifted", it.run("check --schema"));
}
