//! Whoever may write something in the database gains nothing by upfront.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{Error, ErrorKind, Target};
use upfront_scratch::Database;
use upfront_tests::{ask, builder, database, migrator};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id int);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id int);\n");

/// A login that may do nothing, its URL, and the name that goes with the database.
struct Stranger {
    role: String,
    url: String,
}

impl Stranger {
    fn new(database: &Database<'_>, name: &str) -> Self {
        let role = format!("{name}_{}", database.name());
        database.execute(&format!("CREATE ROLE {role} LOGIN")).unwrap();
        let url = database.url().replacen("postgres@", &format!("{role}@"), 1);
        Self { role, url }
    }

    async fn is_superuser(&self, database: &Database<'_>) -> String {
        let sql = format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{}'", self.role);
        ask(&database.url(), &sql).await
    }

    /// A statement that only somebody else's rights allow.
    fn prize(&self) -> String {
        format!("ALTER ROLE {} SUPERUSER", self.role)
    }

    async fn run(&self, sql: &str) -> Result<(), String> {
        let client = upfront_tests::connect(&self.url).await;
        let answer = client.batch_execute(sql).await;
        answer
            .map_err(|err| err.as_db_error().map(|it| it.message().to_owned()).unwrap_or_default())
    }

    /// What an error says, without the names that change from run to run.
    fn masked(&self, err: &Error) -> String {
        err.to_string().replace(&self.role, "MALLORY")
    }
}

/// Every kind of row that makes another app's migrator run, skip or repeat something.
const FORGERIES: [(&str, &str); 8] = [
    (
        "a rollback that boot finishes",
        "INSERT INTO upfront.revisions (app, version, name, hash, chain, breaking, down_sql, down_hash, \
         down_transactional, down_statements, rollback_accepted) SELECT 'main', '9', 'x', repeat('a', \
         64), repeat('0', 64), true, s, encode(sha256(s::bytea), 'hex'), false, \
         jsonb_build_array(jsonb_build_object('start', 0, 'end', length(s), 'line', 1, 'class', \
         'transactional', 'secret', false, 'losses', '[]'::jsonb)), true FROM (SELECT 'PRIZE' s) x",
    ),
    (
        "a migration that was not applied",
        "INSERT INTO upfront.revisions (app, version, name, hash, chain) VALUES ('main', '2', 'b', \
         repeat('a', 64), repeat('a', 64))",
    ),
    (
        "a row that becomes another app's",
        "INSERT INTO upfront.revisions (app, version, name, hash, chain) VALUES ('mallory', '2', 'b', \
         repeat('a', 64), repeat('a', 64)); UPDATE upfront.revisions SET app = 'main' WHERE app = \
         'mallory'",
    ),
    ("a deleted row", "DELETE FROM upfront.revisions WHERE app = 'main'"),
    ("another down side", "UPDATE upfront.revisions SET down_sql = 'PRIZE' WHERE app = 'main'"),
    (
        "a journal",
        "INSERT INTO upfront.steps (app, version, direction, ordinal, hash, finished) VALUES ('main', \
         '2', 'up', 1, repeat('a', 64), now())",
    ),
    (
        "a log",
        "INSERT INTO upfront.log (app, version, name, direction, outcome, hash) VALUES ('main', '2', \
         'b', 'up', 'applied', repeat('a', 64))",
    ),
    (
        "an app of one's own",
        "INSERT INTO upfront.apps VALUES ('main', current_user) ON CONFLICT (app) DO UPDATE SET owner = \
         current_user; UPDATE upfront.revisions SET hash = repeat('b', 64)",
    ),
];

#[tokio::test]
async fn a_role_that_migrates_one_app_writes_no_row_of_another() {
    let database = database();
    migrator(&database.url(), &[A, A_DOWN]).up().await.unwrap();
    let mallory = Stranger::new(&database, "mallory");
    let rights = format!(
        "GRANT USAGE ON SCHEMA upfront TO {0}; GRANT ALL ON ALL TABLES IN SCHEMA upfront TO {0}; REVOKE \
         TRIGGER ON ALL TABLES IN SCHEMA upfront FROM {0}; INSERT INTO upfront.apps VALUES ('mallory', \
         '{0}')",
        mallory.role
    );
    database.execute(&rights).unwrap();
    for (name, sql) in FORGERIES {
        let refused = mallory.run(&sql.replace("PRIZE", &mallory.prize())).await;
        let message = refused.expect_err(name).replace(&mallory.role, "MALLORY");
        assert!(
            message.ends_with("of upfront does not belong to role 'MALLORY'"),
            "{name}: {message}"
        );
    }
    for table in ["revisions", "log", "steps", "holds", "targets", "apps", "protection"] {
        let refused = mallory.run(&format!("TRUNCATE upfront.{table}")).await;
        assert!(refused.unwrap_err().contains("does not belong"), "{table}");
    }
    // Its own app is its own.
    let rights = format!("GRANT CREATE ON SCHEMA public TO {}", mallory.role);
    database.execute(&rights).unwrap();
    let own = builder(&mallory.url, &[B]).app("mallory").build().unwrap();
    assert_eq!(own.up().await.unwrap().applied.len(), 1);
    assert_eq!(migrator(&database.url(), &[A, A_DOWN]).up().await.unwrap().applied.len(), 0);
    migrator(&database.url(), &[A, A_DOWN]).down(Target::All).await.unwrap();
    assert_eq!(mallory.is_superuser(&database).await, "f");
}

/// With what the guards would have kept out already in the tables, stored SQL does not run either.
#[tokio::test]
async fn stored_sql_does_not_run_where_the_guards_were_off() {
    let database = database();
    migrator(&database.url(), &[A, A_DOWN]).up().await.unwrap();
    database.execute("ALTER TABLE upfront.revisions DISABLE TRIGGER ALL").unwrap();
    let mallory = Stranger::new(&database, "mallory");
    let (_, forged) = FORGERIES[0];
    database.execute(&forged.replace("PRIZE", &mallory.prize())).unwrap();
    let err = migrator(&database.url(), &[A, A_DOWN]).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Untrusted, "{err}");
    insta::assert_snapshot!("guards_off", err);
    assert_eq!(mallory.is_superuser(&database).await, "f");
}

/// What a stranger may put where upfront's tables are to be.
const SQUATS: [(&str, &str); 5] = [
    (
        "view",
        "CREATE VIEW upfront.revisions AS SELECT 'main'::text app, '1'::text COLLATE \"C\" AS version, \
         'a'::text AS name, repeat('0',64) hash, repeat('0',64) chain, false breaking, \
         upfront.f()::bit(256) fingerprint",
    ),
    ("empty_schema", "SELECT 1"),
    (
        "plain_tables",
        "CREATE TABLE upfront.revisions (app text, version text COLLATE \"C\", name text, breaking \
         boolean, fingerprint bit(256)); CREATE TABLE upfront.steps (app text); CREATE TABLE \
         upfront.targets (app text, schema name, namespace oid, database oid, history oid)",
    ),
    (
        "row_level_security",
        "CREATE TABLE upfront.revisions (app text, version text COLLATE \"C\", name text, breaking \
         boolean, fingerprint bit(256)); CREATE TABLE upfront.steps (app text); CREATE TABLE \
         upfront.targets (app text, schema name, namespace oid, database oid, history oid); ALTER TABLE \
         upfront.revisions ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON upfront.revisions USING \
         (upfront.f() <> '')",
    ),
    (
        "a_type_of_one_s_own",
        "CREATE TYPE upfront.t AS ENUM ('main', 'upfront'); CREATE FUNCTION upfront.eq(upfront.t) RETURNS \
         text LANGUAGE sql AS 'SELECT upfront.f()'; CREATE CAST (upfront.t AS text) WITH FUNCTION \
         upfront.eq(upfront.t) AS IMPLICIT; CREATE TABLE upfront.revisions (app upfront.t, version text \
         COLLATE \"C\", name text, breaking boolean, fingerprint bit(256)); INSERT INTO \
         upfront.revisions VALUES ('main'); CREATE TABLE upfront.steps (app text); CREATE TABLE \
         upfront.targets (app text, schema name, namespace oid, database oid, history oid)",
    ),
];

async fn squat(database: &Database<'_>, mallory: &Stranger, sql: &str) {
    let create = format!("GRANT CREATE ON DATABASE {} TO {}", database.name(), mallory.role);
    database.execute(&create).unwrap();
    let trap = format!(
        "CREATE SCHEMA upfront; GRANT USAGE ON SCHEMA upfront TO public; CREATE FUNCTION upfront.f() \
         RETURNS text LANGUAGE plpgsql AS $$BEGIN IF (SELECT rolsuper FROM pg_roles WHERE rolname = \
         current_user) THEN {}; END IF; RETURN repeat('0', 256); END$$; {sql}; GRANT ALL ON ALL TABLES IN \
         SCHEMA upfront TO public",
        mallory.prize()
    );
    mallory.run(&trap).await.unwrap();
}

#[tokio::test]
async fn tables_that_a_stranger_made_are_refused_by_name() {
    for (name, sql) in SQUATS {
        let database = database();
        let mallory = Stranger::new(&database, "mallory");
        squat(&database, &mallory, sql).await;
        let it = migrator(&database.url(), &[A, A_DOWN]);
        let up = it.up().await.unwrap_err();
        assert!(up.kind() == ErrorKind::Untrusted, "{name}: {up}");
        insta::assert_snapshot!(format!("squatted_{name}"), mallory.masked(&up));
        if name != "empty_schema" {
            for err in [
                it.check().await.unwrap_err(),
                it.status().await.unwrap_err(),
                it.plan_up().await.unwrap_err(),
                it.plan_down(Target::All).await.unwrap_err(),
                it.down(Target::All).await.unwrap_err(),
                it.log(None, None).await.unwrap_err(),
                it.baseline("1").await.unwrap_err(),
            ] {
                assert!(err.kind() == ErrorKind::Untrusted, "{name}: {err}");
            }
        }
        assert_eq!(mallory.is_superuser(&database).await, "f", "{name}");
        assert_eq!(ask(&database.url(), "SELECT to_regclass('public.a')").await, "", "{name}");
    }
}

/// Both of the ways out that the error names.
#[tokio::test]
async fn an_owner_is_trusted_once_it_is_named() {
    let database = database();
    let (owner, other) = (Stranger::new(&database, "owner"), Stranger::new(&database, "other"));
    let rights = format!(
        "GRANT CREATE ON DATABASE {0} TO {1}, {2}; GRANT CREATE ON SCHEMA public TO {1}, {2}",
        database.name(),
        owner.role,
        other.role
    );
    database.execute(&rights).unwrap();
    migrator(&owner.url, &[A]).up().await.unwrap();
    let grants = format!(
        "GRANT USAGE ON SCHEMA upfront TO {0}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN \
         SCHEMA upfront TO {0}; INSERT INTO upfront.apps VALUES ('other', '{0}')",
        other.role
    );
    owner.run(&grants).await.unwrap();
    let it = |trusted: bool| {
        let it = builder(&other.url, &[B]).app("other");
        if trusted { it.trusted_owner(owner.role.as_str()) } else { it }.build().unwrap()
    };
    let err = it(false).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Untrusted, "{err}");
    let hint = format!("set `trusted_owner` to it (`--trusted-owner {}`)", owner.role);
    assert!(err.to_string().contains(&hint), "{err}");
    assert_eq!(it(true).up().await.unwrap().applied.len(), 1);
    // A superuser runs nothing of an ordinary role unasked.
    let superuser = migrator(&database.url(), &[A]);
    assert!(superuser.check().await.unwrap_err().kind() == ErrorKind::Untrusted);
    let owns = format!("ALTER DATABASE {} OWNER TO {}", database.name(), owner.role);
    database.execute(&owns).unwrap();
    superuser.check().await.unwrap();
}

/// A service that only looks trusts tables of any owner, as reading them runs no code.
#[tokio::test]
async fn a_reader_needs_not_know_the_owner() {
    let database = database();
    let (owner, reader) = (Stranger::new(&database, "owner"), Stranger::new(&database, "reader"));
    let rights = format!(
        "GRANT CREATE ON DATABASE {} TO {1}; GRANT CREATE ON SCHEMA public TO {1}",
        database.name(),
        owner.role
    );
    database.execute(&rights).unwrap();
    migrator(&owner.url, &[A]).up().await.unwrap();
    let grants = format!(
        "GRANT USAGE ON SCHEMA upfront TO {0}; GRANT SELECT ON ALL TABLES IN SCHEMA upfront TO {0}",
        reader.role
    );
    owner.run(&grants).await.unwrap();
    let it = migrator(&reader.url, &[A]);
    it.check().await.unwrap();
    assert!(it.up().await.unwrap().is_unchanged());
    assert!(it.status().await.unwrap().is_up_to_date());
    let it = migrator(&reader.url, &[A, B]);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::Untrusted);
}

/// The right TRIGGER, or a rule, is enough to run code as whoever writes, or to keep a row out.
#[tokio::test]
async fn what_hangs_on_the_tables_is_refused_before_they_are_written() {
    let attachments = [
        ("a_rule", "CREATE RULE swallow AS ON INSERT TO upfront.TABLE DO INSTEAD NOTHING"),
        (
            "a_trigger",
            "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN ALTER ROLE MALLORY \
             SUPERUSER; RETURN NULL; END$$; CREATE TRIGGER swallow BEFORE INSERT ON upfront.TABLE FOR \
             EACH ROW EXECUTE FUNCTION public.f()",
        ),
        (
            "a_trigger_by_another_name",
            "CREATE TRIGGER guard_app2 AFTER INSERT ON upfront.TABLE FOR EACH ROW EXECUTE FUNCTION \
             suppress_redundant_updates_trigger()",
        ),
    ];
    for table in ["revisions", "log"] {
        for (name, sql) in attachments {
            let database = database();
            migrator(&database.url(), &[A]).up().await.unwrap();
            let mallory = Stranger::new(&database, "mallory");
            let rights = format!(
                "GRANT USAGE ON SCHEMA upfront TO {0}; GRANT ALL ON ALL TABLES IN SCHEMA upfront TO {0}; \
                 GRANT CREATE ON SCHEMA public TO {0}",
                mallory.role
            );
            database.execute(&rights).unwrap();
            let sql = sql.replace("TABLE", table).replace("MALLORY", &mallory.role);
            match name {
                "a_rule" => database.execute(&sql).unwrap(),
                _ => mallory.run(&sql).await.unwrap(),
            }
            let err = migrator(&database.url(), &[A, B]).up().await.unwrap_err();
            assert!(err.kind() == ErrorKind::Untrusted, "{name} on {table}: {err}");
            if table == "revisions" {
                insta::assert_snapshot!(name, mallory.masked(&err));
            }
            let left = "SELECT to_regclass('b') IS NULL, count(*) FROM upfront.revisions WHERE app = \
                        'main'";
            assert_eq!(ask(&database.url(), left).await, "t|1", "{name} on {table}");
            assert_eq!(mallory.is_superuser(&database).await, "f");
            // The remedy that it prints.
            let text = err.to_string();
            let (_, remedy) = text.split_once("as the owner of the tables, run\n").unwrap();
            database.execute(remedy).unwrap();
            assert_eq!(migrator(&database.url(), &[A, B]).up().await.unwrap().applied.len(), 1);
        }
    }
}

/// The migration itself is what keeps its row out.
#[tokio::test]
async fn a_migration_whose_row_is_swallowed_is_rolled_back() {
    for (name, sql) in [
        ("rule", "CREATE RULE r AS ON INSERT TO upfront.revisions DO INSTEAD NOTHING;"),
        (
            "trigger",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE \
             TRIGGER t BEFORE INSERT ON upfront.log FOR EACH ROW EXECUTE FUNCTION f();",
        ),
        ("policy", "ALTER TABLE upfront.revisions ENABLE ROW LEVEL SECURITY;"),
        (
            "guard",
            "CREATE OR REPLACE FUNCTION upfront.guard_app() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
             RETURN NULL; END';",
        ),
    ] {
        let database = database();
        migrator(&database.url(), &[A, A_DOWN]).up().await.unwrap();
        let sql = format!("{sql} CREATE TABLE b (id int);");
        let files = [A, A_DOWN, ("2_b.sql", sql.as_str())];
        let err = migrator(&database.url(), &files).up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::Untrusted, "{name}: {err}");
        insta::assert_snapshot!(format!("swallowed_by_a_{name}"), err);
        let left = "SELECT to_regclass('b') IS NULL, count(*), (SELECT count(*) FROM upfront.log WHERE \
                    app = 'main') FROM upfront.revisions WHERE app = 'main'";
        assert_eq!(ask(&database.url(), left).await, "t|1|1", "{name}");
        migrator(&database.url(), &[A, A_DOWN]).down(Target::All).await.unwrap();
    }
}

/// The role of a session is then another one than its login, and has all the rights.
#[tokio::test]
async fn a_login_that_has_a_role_set_may_migrate_in_both_ways() {
    let database = database();
    let name = database.name();
    let (login, owner) = (format!("{name}_login"), format!("{name}_owner"));
    for sql in [
        format!("CREATE ROLE {owner}"),
        format!("CREATE ROLE {login} LOGIN NOINHERIT"),
        format!("GRANT {owner} TO {login}"),
        format!("ALTER ROLE {login} SET role = '{owner}'"),
        format!("ALTER DATABASE {name} OWNER TO {owner}"),
        format!("ALTER SCHEMA public OWNER TO {owner}"),
    ] {
        database.execute(&sql).unwrap();
    }
    let url = database.url().replacen("postgres@", &format!("{login}@"), 1);
    let files = [
        ("1_t.sql", "CREATE TABLE t (id int);\n"),
        (
            "2_i.sql",
            "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON t (id);\nCREATE TABLE u (id int);\n",
        ),
        ("3_u.sql", "ALTER TABLE u ADD COLUMN name text;\n"),
    ];
    assert_eq!(migrator(&url, &files).up().await.unwrap().applied.len(), 3);
    let owners = "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname IN \
                  ('public', 'upfront')";
    assert_eq!(ask(&database.url(), owners).await, owner);
    let who = "SELECT string_agg(DISTINCT login || ' ' || role, ', ') FROM upfront.revisions";
    assert_eq!(ask(&database.url(), who).await, format!("{login} {owner}"));
}
