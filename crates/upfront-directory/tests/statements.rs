//! How statements are cut, and what is known about each.

use upfront_directory::{Class, DataLoss, Directory, ReindexKind, Side, Statement};

fn side(source: &str) -> Side {
    let files = [("1_a.sql".to_owned(), source.as_bytes().to_vec())];
    let directory =
        Directory::from_files("migrations", files).unwrap_or_else(|err| panic!("{source}: {err}"));
    directory.migrations()[0].up.clone()
}

fn statement(source: &str) -> Statement {
    let side = side(&format!("-- atlas:txmode none\n\n{source}"));
    assert_eq!(side.statements.len(), 1, "{source}");
    side.statements[0].clone()
}

#[test]
fn cuts_where_the_server_does() {
    let check = |source: &str, expected: &[&str]| {
        let side = side(source);
        let found: Vec<_> = side.statements.iter().map(|it| &side.body[it.range.clone()]).collect();
        assert_eq!(found, expected);
    };
    check("SELECT 2$$;$$, 1e+5$$;$$, 1.$$;$$, .5;", &["SELECT 2$$;$$, 1e+5$$;$$, 1.$$;$$, .5"]);
    check("SELECT 1a$b$; SELECT 1 a$b$;", &["SELECT 1a$b$", "SELECT 1 a$b$"]);
    check(" ;; -- ;\n/* ; */SELECT 1;;", &["SELECT 1"]);
    check("SELECT 1; SELECT 2", &["SELECT 1", "SELECT 2"]);
    check(
        "SELECT ';', E'\\';', $$;$$, $a$;$$;$a$, \";\", a$b$;",
        &["SELECT ';', E'\\';', $$;$$, $a$;$$;$a$, \";\", a$b$"],
    );
    check("SELECT '\\'; SELECT 2", &["SELECT '\\'", "SELECT 2"]);
    check("SELECT 1 /* /* ; */ ; */ ; SELECT 2 -- ;", &["SELECT 1", "SELECT 2"]);
    // The server continues in the manner of the first part; psql, which reads line by line, does not.
    check("SELECT E'\\';'\n '\\';'; SELECT 2", &["SELECT E'\\';'\n '\\';'", "SELECT 2"]);
    check("SELECT E'a' -- ;\n'\\';'", &["SELECT E'a' -- ;\n'\\';'"]);
    check("SELECT 'a' '\\'; SELECT 2", &["SELECT 'a' '\\'", "SELECT 2"]);
    check(
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
        &["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"],
    );
}

#[test]
fn an_atomic_body_ends_at_its_own_end() {
    let check = |body: &str| {
        let function = format!("create or replace function f() returns int {body}");
        let side = side(&format!("{function}; SELECT 2"));
        let found: Vec<_> = side.statements.iter().map(|it| &side.body[it.range.clone()]).collect();
        assert_eq!(found, [function.as_str(), "SELECT 2"]);
    };
    check("BEGIN ATOMIC END");
    check("begin atomic ; ; end");
    check("BEGIN ATOMIC SELECT 1; SELECT 2; END");
    check("BEGIN /* ; */ ATOMIC SELECT CASE WHEN true THEN CASE 1 WHEN 1 THEN 1 END END; END");
    // PostgreSQL 14 and later take `END` for a label here; psql does not.
    check("BEGIN ATOMIC SELECT 1 AS end; SELECT 2 end; SELECT t.end FROM t; END");
    check("RETURN 1");
    check("LANGUAGE sql AS 'BEGIN ATOMIC; '");
}

#[test]
fn a_statement_knows_its_line_and_place() {
    let side = side("-- é\n\nSELECT 'é';\n\n  SELECT\n 2 ; SELECT 3");
    let found: Vec<_> = side.statements.iter().map(|it| (it.line, it.range.clone())).collect();
    assert_eq!(found, [(3, 7..18), (5, 23..32), (6, 35..43)]);
}

#[test]
fn words_of_transactions_are_names_elsewhere() {
    let source = "CREATE TABLE begin (begin int, commit int); SELECT begin, rollback FROM begin; COMMENT ON TABLE \
                  begin IS 'COMMIT;'; DO $$ BEGIN COMMIT; END $$; ALTER TABLE begin RENAME COLUMN commit TO abort; \
                  SAVEPOINT a; ROLLBACK WORK TO SAVEPOINT a; ROLLBACK TO a; RELEASE a; SET ROLE alice; RESET ROLE; \
                  SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; DISCARD PLANS; PREPARE transactions AS SELECT 1; \
                  SET standard_conforming_strings = on; SET client_encoding TO 'UTF8'; RESET client_encoding";
    assert_eq!(side(source).statements.len(), 17);
}

#[test]
fn tells_how_a_statement_stands_to_transactions() {
    let check =
        |source: &str, expected: Class| assert_eq!(statement(source).class, expected, "{source}");
    let text = |it: &str| it.to_owned();
    let index = |index: Option<&str>, table: &str, if_not_exists| Class::CreateIndex {
        index: index.map(text),
        table: text(table),
        if_not_exists,
    };
    check("SELECT 1", Class::Transactional);
    check("CREATE INDEX i ON t (a)", Class::Transactional);
    check(
        "CREATE INDEX CONCURRENTLY Users_Email ON public.users (email)",
        index(Some("users_email"), "public.users", false),
    );
    check(
        "create unique index concurrently if not exists \"I\"\"x\" on only \"S\" . \"T\" (a)",
        index(Some("I\"x"), "\"S\".\"T\"", true),
    );
    check("CREATE INDEX CONCURRENTLY ON t USING gin (a)", index(None, "t", false));
    let long = "x".repeat(64);
    check(
        &format!("CREATE INDEX CONCURRENTLY {long} ON t (a)"),
        index(Some(&long[..63]), "t", false),
    );
    check("DROP INDEX CONCURRENTLY s.i", Class::DropIndex { index: text("s.i"), if_exists: false });
    check(
        "DROP INDEX CONCURRENTLY IF EXISTS \"I\" CASCADE",
        Class::DropIndex { index: text("\"I\""), if_exists: true },
    );
    let reindex = |kind, target: Option<&str>| Class::Reindex { kind, target: target.map(text) };
    check("REINDEX INDEX CONCURRENTLY i", reindex(ReindexKind::Index, Some("i")));
    check("REINDEX (VERBOSE, CONCURRENTLY ON) TABLE s.t", reindex(ReindexKind::Table, Some("s.t")));
    check("REINDEX SCHEMA CONCURRENTLY s", reindex(ReindexKind::Schema, Some("s")));
    check("REINDEX DATABASE CONCURRENTLY", reindex(ReindexKind::Database, None));
    check("REINDEX (CONCURRENTLY off) TABLE t", Class::Repeatable);
    check("REINDEX SYSTEM d", Class::Repeatable);
    check("VACUUM (FULL) t", Class::Repeatable);
    check("CLUSTER", Class::Repeatable);
    check("CLUSTER t USING i", Class::Repeatable);
    check("ALTER SYSTEM SET work_mem = '1GB'", Class::Repeatable);
    check("ALTER DATABASE d SET TABLESPACE s", Class::Repeatable);
    check("ALTER DATABASE d SET work_mem = '1GB'", Class::Transactional);
    check(
        "ALTER TABLE IF EXISTS ONLY s.p DETACH PARTITION q CONCURRENTLY",
        Class::DetachPartition { parent: text("s.p"), partition: text("q") },
    );
    check("ALTER TABLE p DETACH PARTITION q FINALIZE", Class::Transactional);
    check("CREATE DATABASE Shop OWNER alice", Class::CreateDatabase { name: text("shop") });
    check(
        "DROP DATABASE IF EXISTS \"Shop\" WITH (FORCE)",
        Class::DropDatabase { name: text("Shop"), if_exists: true },
    );
    check("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", Class::Unknown);
    check(
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false)",
        Class::Transactional,
    );
    check(
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (create_slot = 'off')",
        Class::Transactional,
    );
    check("ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)", Class::Transactional);
    check("SET lock_timeout = '1s'", Class::Session);
    check("SELECT pg_catalog.set_config('search_path', '', false)", Class::Session);
    check("SELECT set_config('a.b', 'c', false), f()", Class::Transactional);
    check("SET CONSTRAINTS ALL DEFERRED", Class::Transactional);
    check("CALL p()", Class::Unknown);
    check("DO $$ BEGIN END $$", Class::Unknown);
}

#[test]
fn tells_what_a_statement_may_lose() {
    let check = |source: &str, expected: &[&str]| {
        let losses = statement(source).losses;
        assert_eq!(
            losses.iter().map(DataLoss::to_string).collect::<Vec<_>>(),
            expected,
            "{source}"
        );
    };
    check("CREATE TABLE t (a int)", &[]);
    check(
        "DROP TABLE IF EXISTS \"public\".\"users\", ONLY s.t RESTRICT",
        &["table \"public\".\"users\"", "table s.t"],
    );
    check("DROP TABLE t CASCADE", &["table t", "unknown"]);
    check(
        "ALTER TABLE IF EXISTS users DROP email, DROP COLUMN IF EXISTS \"A.b\" CASCADE, ADD c int",
        &["column users.email", "column users.\"A.b\""],
    );
    check(
        "ALTER TABLE a.t DROP CONSTRAINT c, ALTER COLUMN d DROP NOT NULL, ALTER e SET DATA TYPE int, ALTER f TYPE numeric(1, 2)",
        &["column-type a.t.e", "column-type a.t.f"],
    );
    check("ALTER TABLE t RENAME a TO b", &[]);
    check("DROP INDEX CONCURRENTLY i", &[]);
    check("DROP VIEW v CASCADE", &[]);
    check("DROP FUNCTION f(int)", &[]);
    check("DROP FUNCTION f(int) CASCADE", &["unknown"]);
    check("DROP TYPE mood", &[]);
    check("DROP TYPE mood CASCADE", &["type mood"]);
    check("ALTER TYPE pair DROP ATTRIBUTE a", &["type pair"]);
    check("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", &[]);
    check("DROP SCHEMA s", &[]);
    check("DROP SCHEMA IF EXISTS s, t CASCADE", &["schema s", "schema t"]);
    check("DROP SEQUENCE s", &["sequence s"]);
    check("DROP EXTENSION IF EXISTS pg_trgm", &["extension pg_trgm"]);
    check("DROP OWNED BY alice", &["unknown"]);
    check("DELETE FROM ONLY t WHERE a = 1", &["rows t"]);
    check("UPDATE t SET a = 1", &["rows t"]);
    check("TRUNCATE a, TABLE_b CASCADE", &["rows a", "rows TABLE_b", "unknown"]);
    check("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", &["rows t"]);
    check("INSERT INTO t VALUES (1)", &[]);
    check("INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2", &["rows t"]);
    check("WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", &["rows a"]);
    check("WITH x AS (SELECT 1) DELETE FROM t USING x", &["rows t"]);
    check("SELECT count(*), now() FROM t WHERE a IN (1) AND (b)", &[]);
    check("SELECT purge('t')", &["unknown"]);
    check("(SELECT \"Purge\"())", &["unknown"]);
    check("EXPLAIN DELETE FROM t", &[]);
    check("EXPLAIN ANALYZE DELETE FROM t", &["unknown"]);
    check("COPY t TO '/tmp/t'", &[]);
    check("COPY (DELETE FROM t RETURNING *) TO '/tmp/t'", &["unknown"]);
    check("GRANT SELECT ON t TO alice", &[]);
    check("INSERT INTO s.t (a, b) SELECT lower(x), y FROM u AS v (x, y)", &[]);
    check("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING", &[]);
    check("INSERT INTO t (SELECT purge())", &["unknown"]);
    check("WITH n (a) AS (SELECT 1) INSERT INTO t (a) SELECT a FROM n", &[]);
    check("SELECT pg_catalog.count(*), app.count(*)", &["unknown"]);
    check("CREATE TABLE t (a int, b text GENERATED ALWAYS AS (make(a)) STORED)", &[]);
    check("CREATE UNLOGGED TABLE t (a) WITH (fillfactor = 10) AS SELECT purge()", &["unknown"]);
    check("CREATE MATERIALIZED VIEW v AS SELECT a FROM t", &[]);
    check("DROP TABLE U&\"d\\0061t\"", &["unknown"]);
    check("CALL p()", &["unknown"]);
    check("DO ''", &["unknown"]);
    check("EXECUTE p", &["unknown"]);
    check("DROP TABLE \"a\\b\nc\"", &["table \"a\\\\b\\nc\""]);
}

#[test]
fn a_name_that_a_statement_before_moved_may_be_anything() {
    let check = |source: &str, expected: &[&str]| {
        let statements = side(source).statements;
        let losses = statements.last().unwrap().losses.iter().map(DataLoss::to_string);
        assert_eq!(losses.collect::<Vec<_>>(), expected, "{source}");
    };
    check("ALTER TABLE b RENAME TO \"A\"; DROP TABLE a", &["unknown"]);
    check("ALTER TABLE old RENAME TO new; DROP TABLE old", &["table old"]);
    check("ALTER TABLE t RENAME COLUMN x TO y; ALTER TABLE t DROP y", &["unknown"]);
    check("ALTER TABLE t RENAME COLUMN x TO y; ALTER TABLE t DROP z", &["column t.z"]);
    check("ALTER SCHEMA a RENAME TO b; DROP TABLE b.t", &["unknown"]);
    check("ALTER TABLE s.p ATTACH PARTITION q DEFAULT; DELETE FROM s.p", &["unknown"]);
    check("ALTER TABLE public.t SET SCHEMA s; DROP TABLE t", &["unknown"]);
    for moves in [
        "SET search_path TO s",
        "SET LOCAL \"search_path\" = s",
        "SELECT pg_catalog.set_config('search_path', 's', true)",
        "SET ROLE other",
        "RESET ALL",
    ] {
        check(
            &format!("{moves}; DROP TABLE t, s.t, \"a.b\""),
            &["unknown", "table s.t", "unknown"],
        );
    }
    check("SET lock_timeout = '1s'; SET CONSTRAINTS ALL DEFERRED; DROP TABLE t", &["table t"]);
}

#[test]
fn notices_passwords() {
    let check = |source: &str, expected| assert_eq!(statement(source).secret, expected, "{source}");
    check("CREATE ROLE a LOGIN PASSWORD 'x'", true);
    check("alter user a with encrypted password E'x'", true);
    check("CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'a', password 'x')", true);
    check("CREATE SUBSCRIPTION s CONNECTION 'host=h password=x' PUBLICATION p", true);
    check("SELECT dblink_connect('postgres://a:x@h/d')", true);
    check("DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''x'''; END $$", true);
    check("DO $$BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', 'x'); END$$", true);
    check("SELECT crypt('x', gen_salt('bf'))", true);
    check("ALTER ROLE a PASSWORD NULL", false);
    check("CREATE TABLE users (password text, note text DEFAULT 'password')", false);
    check("INSERT INTO links VALUES ('https://example.com/@a')", false);
}

#[test]
fn an_insert_repeats_the_one_before_it_but_for_its_literals() {
    for insert in [
        "INSERT INTO t (id, name) VALUES (1, 'a;b')",
        "INSERT INTO t VALUES (1, f('a')) ON CONFLICT (id) DO UPDATE SET name = 'a'",
        "insert into \"T\" SELECT 1, $$a$$",
        "INSERT INTO t VALUES (1, 'postgres://a:secret@h/d')",
    ] {
        let other = insert.replace('1', "22").replace("'a", "'password").replace("secret", "x");
        let apart = format!("{insert};\nSELECT 1;\n{other};\nSELECT 1;\n{insert};");
        let together = format!("{insert};\n\n{other};\n\n{insert};");
        let facts = |source: &str| {
            let read = side(source).statements.into_iter();
            read.map(|it| (it.line, it.losses, it.secret, it.class, source[it.range].to_owned()))
                .filter(|it| it.4 != "SELECT 1")
                .collect::<Vec<_>>()
        };
        assert_eq!(facts(&together), facts(&apart), "{insert}");
    }
    let mixed = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (f(1)); INSERT INTO t VALUES (2);";
    let losses = side(mixed).statements.into_iter().map(|it| it.losses.len());
    assert_eq!(losses.collect::<Vec<_>>(), [0, 1, 0]);
}
