//! Moving in, and housekeeping: `verify`, `adopt`, `baseline`, `protect`, `release`.

use crate::place::{Place, database, shows};

const A: (&str, &str) = ("migrations/1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("migrations/down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("migrations/2_b.sql", "CREATE TABLE b (id bigint);\n");
const C: (&str, &str) =
    ("migrations/3_c.sql", "-- upfront:irreversible the rows are gone\n\nDELETE FROM a;\n");

fn hashed(it: Place) -> Place {
    assert!(it.run("hash").starts_with("exit code 0"));
    it
}

#[test]
fn verify_replays_both_ways() {
    let it = hashed(Place::with(&[A, A_DOWN, B, C]));
    shows!("verify", it.run("verify"));
    shows!("verify_as_json", it.run("verify --format json"));
    it.write("migrations/down/2_b.sql", "SELECT 1;\n");
    it.run("hash");
    shows!("a_down_side_that_leads_elsewhere", it.run("verify"));
    it.write("migrations/down/2_b.sql", "DROP TABLE bee;\n");
    it.run("hash");
    shows!("a_down_side_that_fails", it.run("verify"));
}

#[test]
fn baseline_compares_the_database_with_the_migrations() {
    let database = database();
    database.execute("create table a (id bigint)").unwrap();
    let it = hashed(Place::on(&database, &[A, B, C]));
    shows!("baseline_of_an_unknown_version", it.run("baseline 7"));
    shows!("baseline_of_another_schema", it.run("baseline 2"));
    shows!("baseline_as_a_dry_run", it.run("baseline 1 --dry-run"));
    let founded = "select count(*) from pg_namespace where nspname = 'upfront'";
    assert_eq!(database.psql(founded).unwrap(), "0\n", "nothing was written");
    shows!("baseline", it.run("baseline 1"));
    shows!("baseline_twice", it.run("baseline 1"));
    assert!(it.run("up").contains("applied 2 migrations up to 3"));
}

#[test]
fn baseline_can_do_without_the_comparison() {
    let it = database();
    let it = hashed(Place::on(&it, &[A, B]));
    assert!(it.run("baseline 1 --unchecked --format json").contains("\"recorded\": true"));
}

/// As sqlx's own migrator leaves it.
const SQLX: &str = "create table _sqlx_migrations (version bigint primary key, description text \
                    not null, installed_on timestamptz not null default now(), success boolean \
                    not null, checksum bytea not null, execution_time bigint not null)";

#[test]
fn adopt_takes_over_what_sqlx_did() {
    let database = database();
    let row = |version: u32, name: &str, text: &str| {
        format!(
            "; insert into _sqlx_migrations values ({version}, '{name}', now(), true, \
             sha384('{text}'::bytea), 1)"
        )
    };
    let sql = [SQLX, &row(1, "a", A.1), &row(2, "b", B.1)].concat();
    database.execute(&sql).unwrap();
    let it = hashed(Place::on(&database, &[A, B, C]));
    shows!("up_before_adopt", it.run("up"));
    shows!("adopt_as_a_dry_run", it.run("adopt --dry-run"));
    shows!("adopt_as_json", it.run("adopt --dry-run --format json"));
    let edited = hashed(Place::on(&database, &[A, (B.0, "CREATE TABLE b ();\n")]));
    shows!("adopt_of_what_was_edited", edited.run("adopt"));
    shows!("adopt", it.run("adopt"));
    shows!("adopt_twice", it.run("adopt"));
    database.execute("create table a ()").unwrap();
    assert!(it.run("up").contains("applied 1 migration up to 3"));
}

#[test]
fn a_database_is_marked_and_unmarked() {
    let database = database();
    let it = hashed(Place::on(&database, &[A, A_DOWN]));
    it.run("up");
    shows!("protect", it.run("protect"));
    shows!("protect_again", it.run("protect --format json"));
    assert!(it.run("down").starts_with("exit code 5"));
    shows!("protect_twice", it.run("protect --renew --remove"));
    let refused = it.run("protect --remove");
    assert!(
        refused.starts_with("exit code 5") && refused.contains("`upfront protect --remove --yes`")
    );
    let (_, digest) = refused.split_once("--approve ").unwrap();
    let mistaken = it.run("protect --remove --approve 0123456789");
    assert!(mistaken.starts_with("exit code 5") && it.run("protect").contains("is protected"));
    assert!(it.run("status").contains("protected by postgres at "));
    let approved = it.run(&format!("protect --remove --approve {}", &digest[..8]));
    assert!(approved.contains("the database is not protected"), "{approved}");
    assert!(it.run("log -n 1 --oneline").contains("unprotected"));
    it.run("protect");
    shows!("a_protected_database_no_more", it.run("protect --remove --yes"));
    assert!(it.run("down").starts_with("exit code 0"));

    it.run("up");
    it.run("protect");
    let copy = database.copy().unwrap();
    let it = hashed(Place::on(&copy, &[A, A_DOWN]));
    shows!("a_copy_of_a_protected_database", it.run("down --dry-run"));
    shows!("protect_of_a_copy", it.run("protect"));
    assert!(it.run("protect --renew").starts_with("exit code 0"));
    assert!(!it.run("down --dry-run").contains("of which this is a copy"));
}

#[test]
fn what_is_held_is_released() {
    let database = database();
    let it = hashed(Place::on(&database, &[A, A_DOWN]));
    it.run("up");
    it.run("down --hold");
    shows!("release_of_what_is_not_held", it.run("release 1 7"));
    shows!("release", it.run("release 1"));
    assert!(it.run("up").contains("applied 1 migration"));
    shows!("release_of_nothing", it.run("release"));
}
