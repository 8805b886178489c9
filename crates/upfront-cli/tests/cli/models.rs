//! `gen` from structs: the whole way over Cargo, with a crate that is changed as its author would.

use std::{
    env,
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use upfront_scratch::Server;

use crate::place::{Place, shows};

const LIB: &str = r#"
use upfront_model::{PgEnum, Table};

/// Who buys.
#[derive(Table)]
#[table(name = "customers")]
#[table(index(lower(email), unique, name = "customers_email"))]
pub struct Customer {
    #[col(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub nick: String,
    #[col(check = "age >= 0")]
    pub age: Option<i16>,
    #[col(references(Order.id, on_delete = set_null))]
    pub last_order: Option<i64>,
}

/// What was bought. Customer and order know of each other.
#[derive(Table)]
#[table(name = "orders")]
pub struct Order {
    #[col(primary_key, identity)]
    pub id: i64,
    #[col(references(Customer.id, on_delete = cascade), index)]
    pub customer: i64,
    #[col(default = "'open'")]
    pub state: State,
    #[col(default = "next_number()")]
    pub number: i64,
    pub total: i32,
}

#[derive(PgEnum)]
#[pg_enum(name = "order_state", rename_all = "snake_case")]
pub enum State {
    Open,
    Paid,
}

/// Names that SQL has other uses for.
#[derive(Table)]
#[table(name = "Group")]
pub struct Coupon {
    #[col(name = "select")]
    pub code: String,
    #[col(name = "it's \"odd\"")]
    pub odd: Option<bool>,
}
"#;

const EXAMPLE: &str = "\
use shop as _;

fn main() -> std::process::ExitCode {
    upfront_model::print()
}
";

/// Fails unless the directory is in order, as that of a service that embeds it.
const BUILD: &str = r#"
fn main() {
    println!("cargo:rerun-if-changed=migrations");
    let _ = std::fs::read_dir("migrations").map(|all| {
        assert!(all.flatten().all(|it| it.file_name() != "broken.sql"), "the directory is broken");
    });
}
"#;

const SETTINGS: &str = "[desired.models]\n";

/// What structs have no word for.
const FIRST: &str = "\
CREATE SEQUENCE numbers;
CREATE FUNCTION next_number() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('numbers') $$;
COMMENT ON FUNCTION next_number() IS 'without gaps, nearly';
";
const FIRST_DOWN: &str = "DROP FUNCTION next_number();\nDROP SEQUENCE numbers;\n";

/// A service's crate, which Cargo builds in a folder that stays from one run to the next.
fn crate_of_a_shop() -> Place {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo_toml = format!(
        "[package]\nname = \"shop\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nupfront-model = {{ path = '{}' }}\n\n[workspace]\n",
        manifest.join("../upfront-model").display()
    );
    let lock = fs::read_to_string(manifest.join("../../Cargo.lock")).unwrap();
    let server = Server::shared().unwrap();
    let place = Place::with(&[
        ("Cargo.toml", &cargo_toml),
        ("Cargo.lock", &lock),
        ("build.rs", BUILD),
        ("src/lib.rs", LIB),
        ("examples/upfront_models.rs", EXAMPLE),
        ("upfront.toml", SETTINGS),
        ("migrations/1000_numbers.sql", FIRST),
        ("migrations/down/1000_numbers.sql", FIRST_DOWN),
    ]);
    with_cargo(place)
        .variable("CARGO_TARGET_DIR", &format!("{}/shop", env!("CARGO_TARGET_TMPDIR")))
        .variable("UPFRONT_SCRATCH_URL", &server.url("postgres"))
}

/// Cargo and the compiler themselves: what stands for them in `PATH` may install others, and the
/// environment that keeps it from that is not here.
fn with_cargo(place: Place) -> Place {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = String::from_utf8(sysroot.stdout).unwrap();
    let bin = Path::new(sysroot.trim()).join("bin");
    let tool = |name: &str| bin.join(name).to_str().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap();
    let is_plain = |it: &PathBuf| !it.join("rustup").exists();
    let path = env::join_paths(env::split_paths(&path).filter(is_plain)).unwrap();
    let home = env::var("HOME").unwrap_or_default();
    let cargo_home = env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    place
        .variable("PATH", path.to_str().unwrap())
        .variable("CARGO", &tool("cargo"))
        .variable("RUSTC", &tool("rustc"))
        .variable("CARGO_HOME", &cargo_home)
        .variable("CARGO_NET_OFFLINE", "true")
        .variable("CARGO_TERM_COLOR", "never")
        .variable("RUSTUP_AUTO_INSTALL", "0")
}

/// The crate with changes in its source, applied one after the other.
fn edit(it: &Place, changes: &[(&str, &str)]) {
    let mut text = it.read("src/lib.rs");
    for (old, new) in changes {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text = text.replace(old, new);
    }
    it.write("src/lib.rs", &text);
}

/// What `gen` says, and the files that came.
fn written(it: &Place, arguments: &str) -> String {
    let before = it.files();
    let mut shown = it.run(arguments);
    let is_new = |file: &&String| !before.contains(file) && !file.ends_with("atlas.sum");
    for file in it.files().iter().filter(is_new) {
        let _ = write!(shown, "--- {file}\n{}", it.read(file));
    }
    unversioned(&shown)
}

fn unversioned(text: &str) -> String {
    let mut shown = text.to_owned();
    while let Some(at) = shown.find("/20").or_else(|| shown.find(" 20")) {
        shown.replace_range(at + 1..at + 15, "VERSION");
    }
    shown
}

/// Edits the crate and generates.
fn check(it: &Place, name: &str, arguments: &str, changes: &[(&str, &str)]) {
    edit(it, changes);
    let shown = written(it, arguments);
    insta::with_settings!({ filters => crate::place::FILTERS.to_vec() }, {
        insta::assert_snapshot!(format!("models_with_{name}"), shown);
    });
}

#[test]
fn structs_are_what_is_wanted() {
    let it = crate_of_a_shop();
    it.run("hash");
    shows!("models_the_first_time", written(&it, "gen shop"));
    shows!("models_that_the_migrations_make", it.run("gen again"));
    let nick = "    pub nick: String,\n";
    let phone = format!("{nick}    pub phone: Option<String>,\n");
    check(&it, "a_field_added", "gen phone", &[(nick, &phone)]);
    let code = format!("{nick}    #[col(fill = \"'n' || id\")]\n    pub code: String,\n");
    check(&it, "a_field_added_that_rows_need", "gen code", &[(nick, &code)]);
    let handle = "    #[col(renamed_from = \"nick\")]\n    pub handle: String,\n";
    check(&it, "a_field_renamed", "gen handle", &[(nick, handle)]);
    let guest = [("pub customer: i64,", "pub customer: Option<i64>,")];
    check(&it, "a_field_made_nullable", "gen guests", &guest);
    check(&it, "a_field_retyped", "gen cents", &[("pub total: i32,", "pub total: i64,")]);
    let indexed = [("pub state: State,", "#[col(index)]\n    pub state: State,")];
    check(&it, "an_index_added", "gen by_state", &indexed);
    let buyers = [
        ("name = \"customers\"", "name = \"buyers\", renamed_from = \"customers\""),
        ("\"age >= 0\"", "\"years >= 0\", renamed_from = \"age\""),
        ("pub age:", "pub years:"),
    ];
    check(&it, "a_struct_renamed_with_a_field", "gen buyers", &buyers);
    let settled = [("    Paid,", "    #[pg_enum(renamed_from = \"paid\")]\n    Settled,")];
    check(&it, "a_value_of_an_enum_renamed", "gen settled", &settled);
    let text = it.read("src/lib.rs");
    it.write("src/lib.rs", text.split("/// Names that SQL").next().unwrap());
    check(&it, "a_struct_dropped", "gen no_groups --allow data-loss", &[]);
    assert!(it.run("gen --check").starts_with("exit code 0"));
    assert!(it.run("verify").starts_with("exit code 0"));
    // What the compiler says is shown.
    edit(&it, &[("pub total: i64,", "pub total: Money,")]);
    shows!("models_that_do_not_compile", it.run("gen x"));
}

/// A folder in which Cargo is a script that prints `models.sql`.
fn printing(sql: &str, migrations: &[(&str, &str)]) -> Place {
    let server = Server::shared().unwrap();
    let it = Place::with(&[("upfront.toml", SETTINGS), ("models.sql", sql)])
        .variable("UPFRONT_SCRATCH_URL", &server.url("postgres"));
    for (path, text) in migrations {
        it.write(path, text);
    }
    it.write("bin/cargo", "#!/bin/sh\necho \"$@\" > called\nexec /bin/cat models.sql\n");
    let cargo = it.path("bin/cargo");
    fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir_all(it.path("migrations")).unwrap();
    assert!(it.run("hash").starts_with("exit code 0"));
    it.variable("CARGO", cargo.to_str().unwrap())
}

const BESIDE: &str = "\
CREATE SCHEMA audit;
CREATE TABLE users (id bigint PRIMARY KEY, name text, age int);
CREATE TABLE old (id bigint PRIMARY KEY);
CREATE VIEW adults AS SELECT users.id, users.age FROM users JOIN users AS b ON b.id = users.id WHERE users.age > 17;
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER noted BEFORE INSERT ON old FOR EACH ROW EXECUTE FUNCTION audit.note();
CREATE TRIGGER noted BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION audit.note();
COMMENT ON VIEW adults IS 'those of age';
";
const BESIDE_DOWN: &str = "\
DROP VIEW adults;
DROP TABLE old, users;
DROP FUNCTION audit.note();
DROP SCHEMA audit;
";
const BESIDE_BOTH: [(&str, &str); 2] =
    [("migrations/1000_a.sql", BESIDE), ("migrations/down/1000_a.sql", BESIDE_DOWN)];

#[test]
fn what_models_cannot_say_stays() {
    let all = "CREATE TABLE users (id bigint PRIMARY KEY, name text, age int);\n\
               CREATE TABLE old (id bigint PRIMARY KEY);\n";
    let it = printing(all, &BESIDE_BOTH);
    shows!("models_beside_other_objects", it.run("gen x"));
    shows!("models_beside_other_objects_as_json", it.run("gen x --format json"));
    let with = |name: &str, sql: &str, arguments: &str| {
        it.write("models.sql", sql);
        let shown = written(&it, arguments);
        insta::with_settings!({ filters => crate::place::FILTERS.to_vec() }, {
            insta::assert_snapshot!(format!("models_beside_{name}"), shown);
        });
    };
    let users = "CREATE TABLE users (id bigint PRIMARY KEY, name text, age bigint);\n";
    with(
        "a_view_of_what_is_retyped",
        &[users, &all[all.find("CREATE TABLE old").unwrap()..]].concat(),
        "gen retyped",
    );
    with("a_trigger_of_a_table_dropped", users, "gen dropped --allow data-loss");
    let people = users.replace("TABLE users", "TABLE people");
    with("a_view_of_a_table_that_may_be_renamed", &people, "gen asked");
    let renamed = format!("-- renamed from: users\n{people}");
    with("a_view_of_a_table_renamed", &renamed, "gen renamed");
    with("a_view_of_a_column_dropped", &people.replace(", age bigint", ""), "gen stuck");
    with("a_view_of_a_column_dropped_checked", &people.replace(", age bigint", ""), "gen --check");
}

#[test]
fn cargo_is_asked_as_the_settings_say() {
    let it = printing("CREATE TABLE a (i int);\n", &[]);
    let with = |settings: &str| {
        it.write("upfront.toml", settings);
        it.run("gen x --dry-run")
    };
    let shown = [
        with("[desired]\nmodels = { example = \"a\", bin = \"b\" }\n"),
        with("[desired.models]\nfeature = \"x\"\n"),
        with("[desired.models]\npackage = 1\n"),
    ];
    shows!("models_with_mistakes_in_the_settings", shown.join("\n"));
    let settings =
        "package = \"shop\"\nfeatures = [\"a\", \"b\"]\nbin = \"shop\"\nargs = [\"print\"]\n";
    with(&format!("[desired.models]\n{settings}"));
    assert_eq!(it.read("called"), "run --package shop --features a,b --bin shop -- print\n");
    it.write("models.sql", "\n");
    shows!("models_that_are_empty", it.run("gen x"));
    it.remove("models.sql");
    shows!("models_that_were_not_printed", it.run("gen x"));
    // A crate that embeds the directory does not compile while that is broken.
    it.remove("called");
    it.write("migrations/1_a.sql", "SELECT 1;\n");
    assert!(it.run("gen x").starts_with("exit code 8"));
    assert!(!it.files().contains(&"called".to_owned()));
}

#[test]
fn models_are_one_of_several() {
    let it =
        printing("CREATE TABLE users (id bigint PRIMARY KEY, name text, age int);\n", &BESIDE_BOTH);
    it.write(
        "upfront.toml",
        "[desired]\nsql = \"schema.sql\"\ncommand = \"echo 'CREATE TABLE old ();'\"\nmodels = {}\n",
    );
    it.write("schema.sql", "CREATE VIEW names AS SELECT name FROM users;\n");
    shows!("models_beside_sql", it.run("gen --check"));
}
