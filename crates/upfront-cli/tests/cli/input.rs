//! Bad input, and input that looks bad: names, rows, what a server lacks, what is left alone.

use upfront_scratch::Server;

use crate::place::{Place, database, shows};

const SETTINGS: &str = "[desired]\nsql = \"schema.sql\"\n";

/// A schema that is wanted, where there are no migrations.
fn wanting(schema: &str) -> Place {
    with(SETTINGS, &[("schema.sql", schema)])
}

fn with(settings: &str, files: &[(&str, &str)]) -> Place {
    let files = [&[("upfront.toml", settings)], files].concat();
    Place::with(&files).variable("UPFRONT_SCRATCH_URL", &Server::shared().unwrap().url("postgres"))
}

/// Such a migration is called by the time.
fn untimed(shown: &str) -> String {
    let mut shown = shown.to_owned();
    while let Some(at) = shown.find("/20").or_else(|| shown.find(" 20")) {
        shown.replace_range(at + 1..at + 15, "VERSION");
    }
    shown
}

#[test]
fn sql_with_a_mistake_has_a_place() {
    let check = |schema: &str| wanting(schema).run("gen x");
    let shown = [
        check("CREATE TABLE a (\n  id int,\n  ü text DEFAULT 'ä', b strange\n);\n"),
        check("CREATE TABLE a (id int;\n"),
        check("CREATE VIEW v AS SELECT * FROM a;\nCREATE VIEW w AS SELECT * FROM v;\n"),
        check("CREATE TABLE a (id int REFERENCES b);\nCREATE TABLE b (id int REFERENCES a);\n"),
        check(
            "CREATE TABLE a (id int PRIMARY KEY REFERENCES b);\nCREATE TABLE b (id strange REFERENCES a);\n",
        ),
        check("SELECT 'open"),
        check("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN\n  RETRUN 1; END $$;"),
        check("CREATE SUBSCRIPTION s CONNECTION 'host=x password=y' PUBLICATION p;"),
        check("CREATE EXTENSION hstore VERSION '0.1';\n"),
        check("CREATE TABLE a ();\nSECURITY LABEL ON TABLE a IS 'x';\n"),
    ];
    shows!("input_with_mistakes", shown.join("\n"));
}

#[test]
fn a_program_may_fail() {
    let check = |command: &str| {
        let settings = format!("[desired]\ncommand = '''{command}'''\n");
        with(&settings, &[]).run("gen x --dry-run")
    };
    let shown = [
        check("no_such_program --print"),
        check("echo not found >&2; exit 4"),
        check("true"),
        check("echo panicked at main.rs; echo 'CREATE TABLE a ();'"),
        check("printf 'CREATE TABLE \\377'"),
    ];
    // A shell says in words of its own that there is no such program.
    let shown = shown.map(|it| it.replace("sh: 1: ", "sh: ").replace("line 1: ", ""));
    shows!("input_from_programs", shown.join("\n"));
}

#[test]
fn odd_names_come_through() {
    let long = "l".repeat(63);
    let schema = format!(
        "CREATE SCHEMA \"My schema\";
         CREATE TYPE \"My schema\".\"order\" AS ENUM ('it''s', 'a\nb');
         CREATE TABLE \"My schema\".\"select\" (\"user\" int PRIMARY KEY, \"a \"\"b\"\"\" text,
           \"line\nfeed\" \"My schema\".\"order\", {long} int, \"ÄÖ\" int REFERENCES \"My schema\".\"select\",
           CHECK (\"line\nfeed\" <> 'a\nb'));
         CREATE INDEX \"Index\" ON \"My schema\".\"select\" (lower(\"a \"\"b\"\"\"));
         COMMENT ON COLUMN \"My schema\".\"select\".\"line\nfeed\" IS 'two
lines';"
    );
    let it = wanting(&schema);
    let shown = it.run("gen x");
    assert!(shown.starts_with("exit code 0"), "{shown}");
    assert!(it.run("gen --check").starts_with("exit code 0"));
    assert!(it.run("verify").starts_with("exit code 0"));
    shows!("input_with_odd_names", untimed(&it.run("schema")));
}

#[test]
fn what_is_cut_or_left_is_told() {
    let long = "l".repeat(70);
    let check = |schema: &str| untimed(&wanting(schema).run("gen x"));
    let shown = [
        check(&format!("CREATE TABLE a (\n  \"{long}\" int,\n  ü{long} int);")),
        check(
            "CREATE TABLE a (i int);\nINSERT INTO a VALUES (1);\nCREATE TABLE alembic_version AS SELECT 1;\n",
        ),
    ];
    shows!("input_that_is_told_of", shown.join("\n"));
}

#[test]
fn settings_that_name_nothing() {
    let check = |more: &str, schema: &str| {
        let it = with(&format!("{SETTINGS}{more}\n"), &[("schema.sql", schema)]);
        untimed(&it.run("gen x --dry-run"))
    };
    let shown = [
        check("exclude = [\"furniture public.x\"]", ""),
        check("exclude = [\"x\"]", ""),
        check("schemas = [\"public\", \"nowhere\"]", "CREATE TABLE a ();"),
        check("schemas = []", "CREATE TABLE a ();"),
    ];
    shows!("input_of_settings", shown.join("\n"));
}

#[test]
fn what_the_server_lacks_is_left_alone_by_name() {
    let settings = format!(
        "{SETTINGS}exclude = [\"extension no_such_*\", \"subscription s\", \"security label *\", \"type \
         public.half\"]\n"
    );
    let schema = "CREATE EXTENSION no_such_thing;\nCOMMENT ON EXTENSION no_such_thing IS 'x';\n\
                  CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p;\nCREATE TYPE half;\n\
                  SECURITY LABEL ON TABLE a IS 'x';\nCREATE TABLE a (i int);\n";
    let it = with(&settings, &[("schema.sql", schema)]);
    let shown = it.run("gen x");
    assert!(shown.starts_with("exit code 0"), "{shown}");
    assert!(it.run("schema").contains("CREATE TABLE public.a"));
    let verify = |sql: &str| {
        let it = with(SETTINGS, &[("migrations/1_b.sql", sql)]);
        it.run("hash");
        it.run("verify")
    };
    let shown = [
        verify("SELECT 1;\nCREATE EXTENSION no_such_thing;\n"),
        verify(
            "-- atlas:txmode none\n\nCREATE SUBSCRIPTION s CONNECTION 'password=x' PUBLICATION p;\n",
        ),
    ];
    shows!("input_of_migrations_that_want_more", shown.join("\n"));
}

/// Upfront's own schema, histories of any tool, and what extensions created.
#[test]
fn histories_and_extensions_never_count() {
    let there = database();
    let histories = [
        "atlas_schema_revisions.atlas_schema_revisions (i int)",
        "_sqlx_migrations (version bigint PRIMARY KEY, at timestamptz DEFAULT now())",
        "refinery_schema_history (version int PRIMARY KEY, name text)",
        "__diesel_schema_migrations (version text PRIMARY KEY)",
        "seaql_migrations (version text PRIMARY KEY)",
        "goose_db_version (id serial PRIMARY KEY)",
        "schema_migrations (version bigint PRIMARY KEY)",
        "flyway_schema_history (installed_rank int PRIMARY KEY, success boolean)",
        "django_migrations (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)",
    ];
    there.execute("CREATE SCHEMA atlas_schema_revisions; CREATE EXTENSION hstore").unwrap();
    for it in histories {
        there.execute(&format!("CREATE TABLE {it}")).unwrap();
    }
    there.execute("CREATE INDEX own ON flyway_schema_history (success)").unwrap();
    let it =
        Place::on(&there, &[("migrations/1_a.sql", "CREATE EXTENSION IF NOT EXISTS hstore;\n")])
            .variable("UPFRONT_SCRATCH_URL", &Server::shared().unwrap().url("postgres"));
    it.write("upfront.toml", "ignore_foreign_history = true\n");
    it.run("hash");
    let shown = it.run("up");
    assert!(shown.starts_with("exit code 0"), "{shown}");
    let url = there.url();
    shows!("histories_in_diff", it.run(&format!("diff --from migrations --to {url}")));
    shows!("histories_in_a_schema", it.run(&format!("schema --from {url}")));
}
