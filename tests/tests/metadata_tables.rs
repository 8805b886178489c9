//! upfront's own tables, as older versions created them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{Protect, State, Target};
use upfront_tests::{builder, database, migrator};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id bigint);\n");
const B_DOWN: (&str, &str) = ("down/2_b.sql", "DROP TABLE b;\n");

/// As a program of before the rollbacks has left it.
const FIRST_TABLES: &str = "DROP TABLE upfront.holds, upfront.protection, upfront.apps, \
     upfront.targets; DROP FUNCTION upfront.guard_app CASCADE; ALTER TABLE upfront.steps DROP COLUMN \
     name, DROP COLUMN breaking; ALTER TABLE upfront.log DROP COLUMN approval, DROP COLUMN lost; ALTER TABLE upfront.revisions DROP COLUMN down_body, \
     DROP COLUMN down_lock_timeout, DROP COLUMN down_statement_timeout, DROP COLUMN checkpoint, \
     DROP COLUMN rollback_accepted, DROP COLUMN rollback_approval, DROP COLUMN rollback_lost; \
     DELETE FROM upfront.revisions WHERE app = 'upfront' AND version > '20261123000000'; DELETE \
     FROM upfront.log WHERE app = 'upfront' AND version > '20261123000000'";

#[tokio::test]
async fn tables_of_the_first_version_are_enough_to_plan_and_to_roll_back() {
    let database = database();
    let files = [A, A_DOWN, B, B_DOWN];
    migrator(&database.url(), &files).up().await.unwrap();
    database.execute(FIRST_TABLES).unwrap();
    let older = migrator(&database.url(), &files[..2]);
    assert_eq!(older.status().await.unwrap().in_state(State::Ahead).count(), 1);
    older.check().await.unwrap();
    let plan = older.plan_down(Target::ToEmbedded).await.unwrap();
    assert_eq!(older.apply(&plan).await.unwrap().rolled_back.len(), 1);
    database.execute(FIRST_TABLES).unwrap();
    assert!(older.protection().await.unwrap().is_none());
    assert!(older.protect(Protect::Set).await.unwrap().is_some());
}

/// A role that does not own upfront's tables gets the statements that let it upgrade them.
#[tokio::test]
async fn a_role_that_does_not_own_the_tables_is_told_what_it_lacks() {
    for owner_is_superuser in [true, false] {
        let database = database();
        let files = [A, A_DOWN, B, B_DOWN];
        migrator(&database.url(), &files[..2]).up().await.unwrap();
        database.execute(FIRST_TABLES).unwrap();
        let (role, owner) = (format!("r_{}", database.name()), format!("o_{}", database.name()));
        let mut sql = format!(
            "CREATE ROLE {role}; CREATE ROLE {owner}; GRANT CREATE ON SCHEMA public TO {role}; GRANT \
             USAGE ON SCHEMA upfront TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES \
             IN SCHEMA upfront TO {role};"
        );
        if !owner_is_superuser {
            let tables = ["SCHEMA upfront", "TABLE upfront.revisions", "TABLE upfront.log"];
            let tables = tables.iter().chain(&["TABLE upfront.steps"]);
            sql.extend(tables.map(|it| format!("ALTER {it} OWNER TO {owner};")));
        }
        database.execute(&sql).unwrap();
        let it = builder(&database.url(), &files)
            .role(role.as_str())
            .trusted_owner(owner.as_str())
            .build()
            .unwrap();
        let err = it.up().await.unwrap_err().to_string();
        let (_, grants) = err.split_once("as an owner, run").unwrap();
        database.execute(grants).unwrap();
        let done = it.up().await;
        let roles = format!("DROP OWNED BY {role}, {owner} CASCADE; DROP ROLE {role}, {owner}");
        database.execute(&roles).unwrap();
        assert_eq!(done.unwrap().applied.len(), 1, "{err}");
    }
}
