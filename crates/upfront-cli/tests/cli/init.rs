//! `init` where another tool or an ORM was before, and commands that other tools have.

use crate::place::{Place, database, shows};

const ATLAS: &str = r##"data "external_schema" "gorm" {
  program = [
    "go", "run", "-mod=mod", "ariga.io/atlas-provider-gorm", "load",
    "--path", "./internal/models", "--dialect", "postgres",
  ]
}
variable "envfile" {
  type    = string
  default = "./.env"
}
variable "tenant" {
  type = string
}
locals {
  envfile = {
    for line in split("\n", file(var.envfile)): split("=", line)[0] => regex("=(.*)", line)[0]
    if !startswith(line, "#") && length(split("=", line)) > 1
  }
  name = "app"
}
env "dev" {
  src     = data.external_schema.gorm.url
  dev     = "docker://postgres/15/dev"
  url     = local.envfile["DEV_DB"]
  schemas = ["public"]
  exclude = ["auth", "storage.*", "public.old_*[type=table]", "public.[ab]"]
  migration {
    dir          = "file://internal/migrations"
    lock_timeout = "3s"
  }
  format {
    migrate {
      diff = "{{ sql . \"  \" }}"
    }
  }
}
env "stage" {
  url = "postgres://app:hunter2@db.example/${local.name}?sslmode=require"
  migration {
    dir = "file://internal/migrations"
  }
}
env "prod" {
  url = "postgres://${var.tenant}:${urlescape(getenv("DB_PASSWORD"))}@db/app?search_path=public"
  for_each = toset(data.sql.tenants.values)
}
data "sql" "tenants" {
  url   = getenv("URL")
  query = "SELECT name FROM tenants"
}
"##;

const MAKEFILE: &str = "gen-migration:\n\tif [ -z \"$(NAME)\" ]; then \\\n\t\techo \"set NAME\"; \
                        \\\n\telse \\\n\t\tatlas migrate diff --env dev $(NAME); \
                        \\\n\tfi\nmigrate-dev:\n\tdoppler run --command=\"atlas migrate apply --env \
                        dev\"\n";

#[test]
fn init_translates_the_settings_of_atlas() {
    let it = Place::with(&[
        ("atlas.hcl", ATLAS),
        ("Makefile", MAKEFILE),
        (".env", "DEV_DB=postgres://u:p@db.abc.supabase.co/postgres\n"),
        ("internal/migrations/20260101000000_a.sql", "CREATE TABLE a ();\n"),
    ]);
    it.run("hash --dir internal/migrations");
    let shown = it.run("init");
    let settings = it.read("upfront.toml");
    for text in [&shown, &settings] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    shows!("init_beside_atlas", shown);
    shows!("settings_translated_from_atlas", settings);
    assert!(it.run("hash").starts_with("exit code 0"), "the settings are valid");
    let other = Place::with(&[("atlas.hcl", "env \"x\" {\n  url = = 1\n}\n")]);
    shows!("init_beside_a_file_that_is_no_hcl", other.run("init --dir db/changes"));
    assert_eq!(other.files(), ["atlas.hcl", "db/changes/.gitattributes", "upfront.toml"]);
    assert!(other.read("upfront.toml").contains("\ndir = \"db/changes\"\n"));
}

#[test]
fn init_writes_settings_that_work() {
    let database = database();
    database.execute("CREATE SCHEMA app").unwrap();
    let atlas = "env {\n  name = atlas.env\n  src = [\"file://schema.sql\"]\n  dev = \
                 \"docker://postgres/15/dev?search_path=app\"\n  url = \
                 getenv(\"DB_URL\")\n  migration {\n    dir = \"file://db/changes\"\n  }\n}\n";
    let url = database.url();
    let url = format!("{url}{}search_path=app", if url.contains('?') { "&" } else { "?" });
    let it = Place::with(&[
        ("atlas.hcl", atlas),
        ("schema.sql", "CREATE SCHEMA app;\nCREATE TABLE app.a (id int);\n"),
        ("db/changes/20260101000000_a.sql", "CREATE SCHEMA IF NOT EXISTS app;\n"),
    ]);
    let it = it.variable("DB_URL", &url);
    shows!("init_with_a_desired_schema", it.run("init"));
    // The scratch servers of tests have one version.
    let settings = it.read("upfront.toml").replace("\n[scratch]\nversion = 15\n", "");
    it.write("upfront.toml", &settings);
    it.run("hash");
    let shown = it.run("gen add_a");
    assert!(shown.starts_with("exit code 0"), "{shown}");
    let shown = it.run("up");
    assert!(shown.starts_with("exit code 0"), "{shown}");
    assert_eq!(database.psql("SELECT to_regclass('app.a') IS NULL").unwrap().trim(), "f");
    assert!(it.run("gen --check").starts_with("exit code 0"));
}

#[test]
fn init_lists_what_it_does_not_translate() {
    let atlas = "docker \"postgres\" \"dev\" {\n  image  = \"postgres:16\"\n  schema = \
                 \"public\"\n}\nenv \"local\" {\n  src     = \"file://schema.pg.hcl\"\n  dev     = \
                 docker.postgres.dev.url\n  url     = \
                 \"postgres://postgres:${urlescape(\"hunter2\")}@localhost/db\"\n  exclude = \
                 [\"t.secret\", \"t[type=policy]\"]\n}\nenv \"prod\" {\n  src = \
                 \"ent://ent/schema\"\n  url = getenv(\"PROD\") != \"\" ? getenv(\"PROD\") : \
                 \"x\"\n  migration {\n    dir    = \"atlas://app\"\n    format = \
                 golang-migrate\n  }\n}\nlint {\n  latest = 1\n}\n";
    let it = Place::with(&[("atlas.hcl", atlas)]);
    it.run("init");
    let settings = it.read("upfront.toml");
    assert!(!settings.contains("hunter2"), "{settings}");
    shows!("settings_with_much_that_is_not_translated", settings);
}

#[test]
fn init_reads_the_options_in_a_makefile() {
    let make = "DB := postgres://u:hunter2@h/d\nmigrate-diff:\n\tatlas migrate diff $(name) --dir \
                \"file://db/migrations?format=atlas\" --to file://schema.sql --dev-url \
                \"docker://postgres/16/dev?search_path=public\"\nmigrate-up:\n\tatlas migrate apply -u \
                \"$(DB)\"\n";
    let it = Place::with(&[("Makefile", make)]);
    shows!("init_beside_a_makefile", it.run("init"));
    shows!("settings_from_a_makefile", it.read("upfront.toml"));
}

#[test]
fn init_finds_the_loaders_of_orms() {
    let go =
        "module x\nrequire (\n\tgorm.io/gorm v1.25.0\n\tariga.io/atlas-provider-gorm v0.5.0\n)\n";
    let model = "package models\ntype User struct {\n\tID uint `gorm:\"primaryKey\"`\n}\n";
    let loader = "package main\nimport \"ariga.io/atlas-provider-gorm/gormschema\"\n";
    let package = "{ \"dependencies\": { \"sequelize\": \"6\", \"@ariga/atlas-provider-sequelize\": \
                   \"1\" } }\n";
    let projects: [&[(&str, &str)]; 9] = [
        &[("go.mod", go), ("internal/models/user.go", model)],
        &[("go.mod", go), ("internal/models/user.go", model), ("cmd/loader/main.go", loader)],
        &[("go.mod", "require gorm.io/gorm v1.25.0\n"), ("models/user.go", model)],
        &[("app/manage.py", "import django\n")],
        &[("prisma/schema.prisma", "provider = \"postgresql\"\n")],
        &[("drizzle.config.ts", "")],
        &[("package.json", package), ("src/models/user.ts", "import { DataTypes } from 'x'\n")],
        &[
            ("Cargo.toml", "[package]\nname = \"x\"\n[dependencies]\nsea-orm = \"1\"\n"),
            ("examples/schema.rs", "schema.create_table_from_entity(a)"),
        ],
        &[("Cargo.toml", "[package]\nname = \"x\"\n[dependencies]\nsea-orm = \"1\"\n")],
    ];
    let desired = projects.map(|files| {
        let it = Place::with(files);
        it.run("init");
        assert!(it.run("hash").starts_with("exit code 0"), "the settings are valid");
        let settings = it.read("upfront.toml");
        let at = settings.find("protected = true\n").unwrap();
        settings[at + "protected = true\n".len()..].trim().to_owned()
    });
    shows!("loaders_of_orms", desired.join("\n\n"));
}

#[test]
fn init_gives_no_advice_that_is_followed() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nupfront = \"0.1\"\n[build-dependencies]\n\
                    upfront-build = \"0.1\"\n";
    let it = Place::with(&[
        ("Cargo.toml", manifest),
        ("build.rs", "fn main() { upfront_build::embed(\"migrations\"); }\n"),
        ("src/main.rs", "fn main() { upfront::embedded!(); }\n"),
        ("migrations/1_a.sql", "CREATE TABLE a ();\r\n"),
        ("migrations/down/1_a.sql", "DROP TABLE a;\n"),
    ])
    .variable("DATABASE_URL", "postgres://h/d");
    it.run("hash");
    shows!("init_where_all_is_done", it.run("init"));
}

#[test]
fn verbs_of_other_tools_are_aliases_or_hints() {
    let it = Place::new();
    let shown = ["migrate diff add_users --env dev", "migrate down 2", "rollback", "redo", "lint"];
    let shown = shown.map(|line| it.run(line));
    shows!("commands_of_other_tools", shown.join("\n"));
    let url = "--url postgres://127.0.0.1:1/d";
    for (alias, verb) in [("apply", "up"), ("migrate", "up"), ("run", "up"), ("info", "status")] {
        it.write("migrations/.gitattributes", "");
        assert_eq!(it.run(&format!("{alias} {url}")), it.run(&format!("{verb} {url}")));
    }
    for alias in ["add", "create"] {
        assert!(it.run(&format!("{alias} users")).starts_with("exit code 0"));
    }
}
