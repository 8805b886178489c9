//! A boot that has something to do, and one that has not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{ErrorKind, State};
use upfront_scratch::Database;
use upfront_tests::{ask, builder, connect, database, migrator, server};

const USERS: (&str, &str) = (
    "20260101000000_users.sql",
    "-- a comment with a ; and a 'quote'\nCREATE TABLE users (id bigint PRIMARY KEY, name text);\n\
     INSERT INTO users VALUES (1, 'it''s; me'), (2, $tag$two; $$ words$tag$);\n",
);
const EMAIL: (&str, &str) =
    ("20260102000000_email.sql", "ALTER TABLE users ADD COLUMN email text;\n");
const EMAIL_DOWN: (&str, &str) =
    ("down/20260102000000_email.sql", "ALTER TABLE users DROP COLUMN email;\n");

#[tokio::test]
async fn applies_what_is_pending_once() {
    let database = database();
    let first = migrator(&database.url(), &[USERS]).up().await.unwrap();
    assert_eq!(first.applied.len(), 1);
    let both = migrator(&database.url(), &[USERS, EMAIL, EMAIL_DOWN]);
    let plan = both.plan_up().await.unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].sql, EMAIL.1);
    assert!(both.check().await.unwrap_err().kind() == ErrorKind::Pending);
    let second = both.up().await.unwrap();
    assert_eq!(second.applied[0].version, "20260102000000");
    let third = both.up().await.unwrap();
    assert!(third.is_unchanged(), "{third}");
    both.check().await.unwrap();
    let status = both.status().await.unwrap();
    assert!(status.is_up_to_date());
    assert_eq!(status.in_state(State::Applied).count(), 2);
    let rows = database.psql("select name, email from users order by id").unwrap();
    assert_eq!(rows.trim(), "it's; me|\ntwo; $$ words|");
    let log = "select version, direction, outcome from upfront.log where app = 'main' order by id";
    let log = database.psql(log).unwrap();
    assert_eq!(log.trim(), "20260101000000|up|applied\n20260102000000|up|applied");
    let application = "select distinct application from upfront.revisions where app = 'main'";
    assert_eq!(database.psql(application).unwrap().trim(), "upfront");
    let stored = "select up_sql, down_sql, down_transactional, down_statements from \
                  upfront.revisions where version = '20260102000000'";
    let stored = connect(&database.url()).await.query_one(stored, &[]).await.unwrap();
    assert_eq!(stored.get::<_, &str>(0), EMAIL.1);
    assert_eq!(stored.get::<_, &str>(1), EMAIL_DOWN.1);
    assert!(stored.get::<_, bool>(2));
}

#[tokio::test]
async fn two_apps_share_a_database() {
    let database = database();
    let url = database.url();
    let shop = builder(&url, &[USERS]).app("shop").build().unwrap();
    let other = [("1_orders.sql", "CREATE TABLE orders (id bigint);")];
    let billing = builder(&url, &other).app("billing").build().unwrap();
    let (one, two) = tokio::join!(shop.up(), billing.up());
    assert_eq!(one.unwrap().applied.len() + two.unwrap().applied.len(), 2);
    shop.check().await.unwrap();
    billing.check().await.unwrap();
}

#[tokio::test]
async fn runs_outside_a_transaction_statement_by_statement() {
    let database = database();
    let index = (
        "20260103000000_index.sql",
        "-- atlas:txmode none\n\nSET maintenance_work_mem = '32MB';\nCREATE INDEX CONCURRENTLY \
         users_name ON users (name);\nINSERT INTO users VALUES (3, 'three');\nVACUUM users;\n",
    );
    let last = ("20260104000000_last.sql", "CREATE TABLE last (id bigint);\n");
    let report = migrator(&database.url(), &[USERS, EMAIL, index, last]).up().await.unwrap();
    assert_eq!(report.applied.len(), 4);
    let valid = "select indisvalid from pg_index where indexrelid = 'users_name'::regclass";
    assert_eq!(database.psql(valid).unwrap().trim(), "t");
    assert_eq!(database.psql("select count(*) from users").unwrap().trim(), "3");
    assert_eq!(database.psql("select count(*) from upfront.steps").unwrap().trim(), "0");
    assert!(
        migrator(&database.url(), &[USERS, EMAIL, index, last]).up().await.unwrap().is_unchanged()
    );
}

/// What psql runs: the settings that the dump begins with, and `\\restrict` around it.
#[tokio::test]
async fn a_dump_is_a_first_migration() {
    let source = database();
    let schema = "CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL DEFAULT 'é'); \
                  CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN 1; END$$; \
                  CREATE VIEW v AS SELECT id, f() FROM users; \
                  CREATE UNIQUE INDEX ON users (lower(email)); \
                  INSERT INTO users (email) VALUES ('ada;@example.org'), (E'a\\\\b\\n\\\\restrict k');";
    source.execute(schema).unwrap();
    let dump = |of: &Database<'_>| {
        let mut dump = server().bin("pg_dump");
        let output = dump.args(["--inserts", "-N", "upfront", "-d", &of.url()]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = format!("\\restrict key0\n{}\\unrestrict key0\n", dump(&source));
    let target = database();
    let it = migrator(&target.url(), &[("1_initial.sql", &text)]);
    it.up().await.unwrap();
    assert!(it.up().await.unwrap().is_unchanged());
    let lines = |of: &Database<'_>| {
        let text = dump(of);
        let lines = text
            .lines()
            .filter(|it| !it.starts_with("\\restrict") && !it.starts_with("\\unrestrict"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&target), lines(&source));
    assert_eq!(
        ask(&target.url(), "SELECT up_sql FROM upfront.revisions WHERE app = 'main'").await,
        text
    );
    let broken = text.replace("FROM public.users;", "FROM public.nothing;");
    let err = migrator(&database().url(), &[("1_initial.sql", &broken)]).up().await.unwrap_err();
    let line = broken[..broken.find("public.nothing").unwrap()].matches('\n').count() + 1;
    assert!(err.to_string().contains(&format!("1_initial.sql:{line}:")), "{err}");
}
