//! A boot that has something to do, and one that has not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::State;
use upfront_tests::{builder, connect, database, migrator};

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
    assert!(both.check().await.unwrap_err().is_pending());
    let second = both.up().await.unwrap();
    assert_eq!(second.applied[0].version, "20260102000000");
    let third = both.up().await.unwrap();
    assert!(third.is_unchanged(), "{third}");
    both.check().await.unwrap();
    let status = both.status().await.unwrap();
    assert!(status.is_settled());
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
