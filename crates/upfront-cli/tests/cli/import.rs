//! `import`

use crate::place::{Place, database, shows};

#[test]
fn a_folder_of_sqlx_is_converted() {
    let database = database();
    let it = Place::on(
        &database,
        &[
            ("sqlx/1_a.up.sql", "CREATE TABLE a ();\r\n"),
            ("sqlx/1_a.down.sql", "DROP TABLE a;\n"),
            ("sqlx/2_b.sql", "-- what b is for\nCREATE TABLE b (id bigint);\n"),
            ("sqlx/10_c.up.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY b_id ON b (id);\n"),
            ("sqlx/10_c.down.sql", "-- Add down migration script here\n"),
            ("sqlx/seed.sql", "INSERT INTO b VALUES (1);\n"),
        ],
    );
    it.run("init");
    shows!("import", it.run("import sqlx"));
    let files = it.files();
    let files: Vec<_> = files.iter().filter(|it| it.starts_with("migrations/")).collect();
    assert_eq!(
        files,
        [
            "migrations/.gitattributes",
            "migrations/01_a.sql",
            "migrations/02_b.sql",
            "migrations/10_c.sql",
            "migrations/atlas.sum",
            "migrations/down/01_a.sql",
            "migrations/down/10_c.sql",
            "migrations/down/atlas.sum",
        ]
    );
    assert_eq!(it.read("migrations/01_a.sql"), it.read("sqlx/1_a.up.sql"));
    let text = "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY b_id ON b (id);\n";
    assert_eq!(it.read("migrations/10_c.sql"), text);
    shows!("import_twice", it.run("import sqlx"));
    assert!(it.run("hash --check").starts_with("exit code 0"));
    let shown = it.run("up");
    assert!(shown.contains("applied 3 migrations up to 10"), "{shown}");
    shows!("import_as_json", it.run("import sqlx --to elsewhere --format json"));
}

#[test]
fn what_cannot_be_carried_over_is_refused_and_nothing_is_written() {
    let it = Place::with(&[
        ("sqlx/1_a.sql", "CREATE TABLE a ();\nBEGIN;\nCOMMIT;\n"),
        (
            "sqlx/2_b.sql",
            "-- no-transaction\n-- more\n\nCREATE TABLE b (x int);\n  COPY b TO STDOUT;\n",
        ),
        ("sqlx/3_c.sql", "-- no-transaction: why\nSET standard_conforming_strings = off;\n"),
        ("sqlx/4_d.down.sql", "CREATE INDEX CONCURRENTLY x ON a (y);\n"),
        ("sqlx/4_d.up.sql", "-- atlas:txmode all\n\nSELECT 1;\n"),
        ("sqlx/5_e.sql", "-- no-transaction\r\nVACUUM;\r\n"),
    ]);
    shows!("import_of_what_cannot_be_carried_over", it.run("import sqlx"));
    assert!(it.files().iter().all(|it| it.starts_with("sqlx/")), "{:?}", it.files());
    let it = Place::with(&[
        ("sqlx/1_a.sql", ""),
        ("sqlx/01_b.sql", ""),
        ("sqlx/2_c.up.sql", ""),
        ("sqlx/2_c.sql", ""),
        ("sqlx/3_d.down.sql", ""),
        ("sqlx/init_x.sql", ""),
    ]);
    shows!("import_of_names_that_clash", it.run("import sqlx"));
}

#[test]
fn other_tools_are_told() {
    let folders: [&[(&str, &str)]; 10] = [
        &[("x/V1__a.sql", "")],
        &[("x/2024-01-01-000000_a/up.sql", "")],
        &[("x/1_a.sql", "-- +goose Up\nSELECT 1;\n-- +goose Down\n")],
        &[("x/1_a.sql", "-- migrate:up\nSELECT 1;\n-- migrate:down\n")],
        &[("x/1_a.sql", "SELECT 1;\n---- create above / drop below ----\nSELECT 2;\n")],
        &[("x/1_a.sql", ""), ("x/atlas.sum", "")],
        &[("x/m20220101_000001_create_table.rs", "")],
        &[("x/README.md", "")],
        &[],
        &[("x/1_a.sql", ""), ("migrations/README.md", "")],
    ];
    let shown = folders.map(|files| Place::with(files).run("import x"));
    shows!("folders_that_are_not_sqlx_s", shown.join("\n"));
}
