//! `COPY … FROM STDIN` with its data, as `pg_dump` writes them: the rows are those of psql.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use insta::assert_snapshot;
use upfront::{Event, Target};
use upfront_scratch::{Database, PoolMode, Pooler};
use upfront_tests::{Events, builder, database, migrator, server};

/// Rows that look like SQL, in the formats of `COPY`, with statements between and behind them.
const DUMP: &str = r#"CREATE TABLE c (id int PRIMARY KEY, t text);
COPY c (id, t) FROM stdin; -- the rows
1	one; with a semicolon
2	quote ' and $$ and "
3	tab\tand \\backslash
4	\N
5	é – 日本 \u0041
6	-- atlas:txmode none
7	COMMIT;

\.
INSERT INTO c VALUES (8, 'é');
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
COPY c FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';');
id;t
9;"two
lines; and ""quotes"""
10;
\.
COPY c FROM stdin;
\.

	COPY
  public.c(t, id)
  FROM STDIN;
last	11
\.
"#;

/// The data of the rows with a blank line among them do not fit.
fn dump() -> String {
    DUMP.replace("COMMIT;\n\n", "COMMIT;\n")
}

const ROWS: &str = "SELECT to_json(c) FROM c ORDER BY id";

fn by_psql(text: &str) -> String {
    let database = database();
    database.psql(text).unwrap();
    database.psql(ROWS).unwrap()
}

/// Whether each stored text is the one that the file has, by the hash that stands beside it.
fn is_stored_whole(database: &Database<'_>) -> bool {
    let sql = "SELECT bool_and(encode(sha256(convert_to(up_sql, 'UTF8')), 'hex') = hash AND \
               (down_sql IS NULL OR encode(sha256(convert_to(down_sql, 'UTF8')), 'hex') = \
               down_hash)) FROM upfront.revisions";
    database.psql(sql).unwrap().trim() == "t"
}

#[tokio::test]
async fn rows_are_those_of_psql() {
    let expected = by_psql(&dump());
    for header in ["", "-- atlas:txmode none\n\n", "-- upfront:lock-timeout 1s\n\n"] {
        let database = database();
        let (dump, events) = (format!("{header}{}", dump()), Events::default());
        let files = [("1_c.sql", dump.as_str()), ("2_d.sql", "CREATE TABLE d ();\n")];
        let it = builder(&database.url(), &files).on_event(events.listener()).build().unwrap();
        assert_eq!(it.up().await.unwrap().applied.len(), 2);
        assert_eq!(database.psql(ROWS).unwrap(), expected);
        assert!(is_stored_whole(&database));
        assert!(it.up().await.unwrap().is_unchanged());
        let told = events.told();
        let ordinals = told.iter().filter_map(|it| match it {
            Event::Statement { version, ordinal, of } if version == "1" => Some((*ordinal, *of)),
            _ => None,
        });
        assert_eq!(ordinals.collect::<Vec<_>>(), (1..=7).map(|it| (it, 7)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn line_ends_of_windows_are_line_ends() {
    let text = "CREATE TABLE c (id int, t text);\r\nCOPY c FROM stdin;\r\n1\ta\r\n\\.\r\n";
    let database = database();
    migrator(&database.url(), &[("1_c.sql", text)]).up().await.unwrap();
    assert_eq!(database.psql(ROWS).unwrap(), by_psql(text));
}

#[tokio::test]
async fn a_down_side_brings_rows_back_from_the_file_or_from_the_database() {
    let down =
        "CREATE TABLE a (id int);\nCOPY a FROM stdin;\n1\n2\n\\.\nINSERT INTO a VALUES (3);\n";
    for header in ["", "-- atlas:txmode none\n\n"] {
        let down = format!("{header}{down}");
        let files = [
            ("1_a.sql", "CREATE TABLE a (id int);\n"),
            ("2_b.sql", "DROP TABLE a;\n"),
            ("down/2_b.sql", &*down),
        ];
        for carried in [&files[..], &files[..1]] {
            let database = database();
            let newer = migrator(&database.url(), &files);
            newer.up().await.unwrap();
            let plan = newer.plan_down(Target::Steps(1)).await.unwrap();
            assert_eq!(plan.steps[0].sql, down);
            let it = migrator(&database.url(), carried);
            it.down(Target::Steps(1)).await.unwrap();
            let rows = database.psql("SELECT id FROM a ORDER BY id").unwrap();
            assert_eq!(rows, "1\n2\n3\n", "{header} {}", carried.len());
        }
    }
}

/// Another client of the pooler has left the names that the driver gives to prepared statements.
#[tokio::test]
async fn rows_pass_a_pooler() {
    let pooler = Pooler::start(server(), PoolMode::Transaction, 1).unwrap();
    let database = database();
    let url = pooler.url(database.name());
    let other = upfront_tests::connect(&url).await;
    for it in 0..5 {
        other.batch_execute(&format!("PREPARE s{it} AS SELECT 1")).await.unwrap();
    }
    let dump = dump();
    let files = [("1_c.sql", dump.as_str()), ("2_d.sql", "CREATE TABLE d ();\n")];
    migrator(&url, &files).up().await.unwrap();
    assert_eq!(database.psql(ROWS).unwrap(), by_psql(&dump));
    assert!(is_stored_whole(&database));
}

async fn fails(text: &str) -> String {
    let database = database();
    let err = migrator(&database.url(), &[("1_c.sql", text)]).up().await.unwrap_err();
    if !text.contains("txmode none") {
        assert_eq!(database.psql("SELECT to_regclass('c')").unwrap().trim(), "", "{err}");
    }
    err.to_string()
}

#[tokio::test]
async fn errors_point_at_the_line_of_the_data() {
    let table = "CREATE TABLE c (id int PRIMARY KEY, t text);\n";
    let value = format!("{table}COPY c FROM stdin;\n1\ta\n2\tb\nx3\tc\n4\td\n\\.\nSELECT 1;\n");
    assert_snapshot!("a_value", fails(&value).await);
    let key = format!("{table}COPY c FROM stdin;\n1\ta\n2\tb\n1\tc\n\\.\n");
    assert_snapshot!("a_key", fails(&key).await);
    let csv = format!("{table}COPY c FROM stdin (FORMAT csv);\n1,\"a\nb\"\n2,c,d\n\\.\n");
    assert_snapshot!("a_column_too_many_in_csv", fails(&csv).await);
    let outside = format!("-- atlas:txmode none\n\n{value}");
    assert_snapshot!("outside_a_transaction", fails(&outside).await);
    let statement =
        format!("{table}COPY c FROM stdin;\n1\ta\n\\.\nINSERT INTO c VALUES (1, nope);\n");
    assert_snapshot!("a_statement_after_the_data", fails(&statement).await);
    let table = "CREATE TABLE c (id int);\nCOPY c (id, nope) FROM stdin;\n1\n\\.\n";
    assert_snapshot!("a_column_that_is_not_there", fails(table).await);
    let rows = "1\tsome text that makes it long\n".repeat(200_000);
    let large = format!("CREATE TABLE c (id int, t text);\nCOPY c FROM stdin;\nx\t\n{rows}\\.\n");
    assert!(
        fails(&large).await.contains("migrations/1_c.sql:3:1"),
        "the server stops reading early"
    );
}

#[tokio::test]
async fn secret_columns_are_not_shown() {
    let text = "CREATE TABLE c (id int, password text);\nCOPY c (id, password) FROM stdin;\nhunter2\t\
                hunter2\n\\.\n";
    let err = fails(text).await;
    assert!(!err.contains("hunter2"), "{err}");
    assert!(err.contains("migrations/1_c.sql:3:"), "{err}");
}
