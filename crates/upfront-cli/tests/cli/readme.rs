//! The sessions in the README, in `docs/command.md` and in `docs/from-atlas.md`.

use std::fs;

use upfront_directory::Sum;

use crate::{
    place::{Place, database},
    session::{compare, document, session},
};

const COMMANDS: [&str; 11] = [
    "upfront init",
    "upfront new create_users",
    "echo 'CREATE TABLE users (email text PRIMARY KEY);' >> migrations/*_create_users.sql",
    "echo 'DROP TABLE users;' >> migrations/down/*_create_users.sql",
    "upfront hash",
    "upfront up --dry-run",
    "upfront up",
    "psql \"$DATABASE_URL\" -c \"INSERT INTO users VALUES ('ada@example.org')\"",
    "upfront down",
    "upfront down --allow data-loss",
    "upfront status",
];

/// `UPFRONT_README=write` rewrites it.
#[test]
fn the_page_of_the_command_shows_the_session_as_it_prints() {
    let (place, database) = (Place::new(), database());
    let url = database.url();
    compare("docs/command.md", &session(&COMMANDS, &place, &[("DATABASE_URL", &url)]));
}

const SHORT: [&str; 7] = [
    "upfront new create_users",
    "echo 'CREATE TABLE users (email text PRIMARY KEY);' >> migrations/*_create_users.sql",
    "echo 'DROP TABLE users;' >> migrations/down/*_create_users.sql",
    "upfront hash && upfront up",
    "psql \"$DATABASE_URL\" -c \"INSERT INTO users VALUES ('ada@example.org')\"",
    "upfront down",
    "upfront status",
];

#[test]
fn the_readme_shows_a_short_session_as_it_prints() {
    let (place, database) = (Place::new(), database());
    let url = database.url();
    compare("README.md", &session(&SHORT, &place, &[("DATABASE_URL", &url)]));
}

const ATLAS: &str = r#"data "external_schema" "gorm" {
  program = ["cat", "models.sql"] # a program that prints the models
}
env "dev" {
  src     = data.external_schema.gorm.url
  dev     = "docker://postgres/15/dev?search_path=public"
  url     = getenv("DATABASE_URL")
  migration {
    dir = "file://migrations"
  }
}
env "prod" {
  url = getenv("PRODUCTION_DATABASE_URL")
  migration {
    dir = "file://migrations"
  }
}
"#;

const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);\n";

/// A row as `atlas migrate apply` writes it.
fn atlas_row(version: &str, name: &str, text: &str) -> String {
    let file = format!("{version}_{name}.sql");
    let sum = Sum::of([(file.as_str(), text.as_bytes())]);
    format!(
        "{text}; CREATE SCHEMA atlas_schema_revisions; CREATE TABLE \
         atlas_schema_revisions.atlas_schema_revisions (version varchar PRIMARY KEY, description \
         varchar NOT NULL, type bigint NOT NULL, applied bigint NOT NULL, total bigint NOT NULL, \
         executed_at timestamptz NOT NULL, execution_time bigint NOT NULL, error text, error_stmt text, \
         hash varchar NOT NULL, partial_hashes jsonb, operator_version varchar NOT NULL); INSERT INTO \
         atlas_schema_revisions.atlas_schema_revisions VALUES ('{version}', '{name}', 2, 1, 1, now(), \
         1, '', '', '{}', 'null', 'Atlas')",
        sum.hash(&file).unwrap()
    )
}

/// The Makefile of the document.
fn makefile() -> String {
    let text = fs::read_to_string(document("docs/from-atlas.md")).unwrap();
    let (_, rest) = text.split_once("```make\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

const GUIDE: [&str; 21] = [
    "ls migrations",
    "upfront init",
    "upfront adopt --env dev",
    "upfront adopt --env prod",
    "upfront protect --env prod",
    "upfront gen --down",
    "sed -i 's/name text NOT NULL/&, age integer/' models.sql",
    "make gen-migration MIGRATION_NAME=AddAge",
    "make migration-dev",
    "upfront down --dry-run --env dev",
    "make migration-down-dev",
    "upfront up --env dev && upfront down --to 20260119165327 --env dev",
    "upfront up --env dev && upfront down --steps 1 --env dev",
    "upfront up --env prod",
    "make migration-prod",
    "make migration-prod APPROVE=DIGEST",
    "make migration-down-prod",
    "make migration-down-prod APPROVE=DIGEST",
    "upfront up --env dev",
    "upfront rm $(basename migrations/*_AddAge.sql .sql) --env dev",
    "upfront status --env dev",
];

/// The guide of a team that runs Atlas, command by command.
#[test]
fn the_guide_of_a_team_that_runs_atlas() {
    let (dev, prod) = (database(), database());
    let name = "20260119165327_CreateUserTable.sql";
    let row = atlas_row("20260119165327", "CreateUserTable", USERS);
    for it in [&dev, &prod] {
        it.execute(&row).unwrap();
    }
    let place = Place::with(&[
        ("atlas.hcl", ATLAS),
        ("models.sql", USERS),
        ("Makefile", &makefile()),
        (&format!("migrations/{name}"), USERS),
    ]);
    let sum = Sum::of([(name, USERS.as_bytes())]);
    place.write("migrations/atlas.sum", &sum.to_string());
    let (dev, prod) = (dev.url(), prod.url());
    let variables = [("DATABASE_URL", dev.as_str()), ("PRODUCTION_DATABASE_URL", prod.as_str())];
    compare("docs/from-atlas.md", &session(&GUIDE, &place, &variables));
}
