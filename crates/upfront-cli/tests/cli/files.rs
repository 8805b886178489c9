//! The verbs that need no database: `init`, `new`, `hash`, `completions`.

use crate::place::{Place, shows};

/// `new` writes the time into names.
fn without_versions(text: &str) -> String {
    let mut shown = text.to_owned();
    while let Some(at) = shown.find("/20").or_else(|| shown.find("\"20")) {
        shown.replace_range(at + 1..at + 15, "VERSION");
    }
    shown
}

#[test]
fn init_makes_settings_and_a_folder_once() {
    let it = Place::new();
    shows!("init_in_an_empty_folder", it.run("init"));
    shows!("what_init_writes", it.read("upfront.toml"));
    it.write("upfront.toml", "[env.dev]\nurl = \"mine\"\n");
    shows!("init_twice", it.run("init"));
    assert_eq!(it.read("upfront.toml"), "[env.dev]\nurl = \"mine\"\n");
    assert_eq!(it.files(), ["migrations/.gitattributes", "upfront.toml"]);
    shows!("init_as_json", it.run("init --format json"));
}

#[test]
fn init_in_a_crate_says_how_to_embed() {
    shows!("init_in_a_crate", Place::with(&[("Cargo.toml", "")]).run("init"));
    let built = Place::with(&[("Cargo.toml", ""), ("build.rs", "fn main() {}\n")]);
    shows!("init_beside_a_build_script", built.run("init"));
}

#[test]
fn init_writes_what_prints_the_models() {
    let package = "[package]\nname = \"my-shop\"\n";
    let derives = "[dependencies]\nupfront = { version = \"0.1\", features = [\"derive\"] }\n";
    let library = Place::with(&[("Cargo.toml", package), ("src/lib.rs", "")]);
    let shown = [
        library.run("init"),
        library.run("init --models"),
        Place::with(&[("Cargo.toml", &format!("{package}{derives}")), ("src/lib.rs", "")])
            .run("init"),
        Place::with(&[("Cargo.toml", package), ("src/main.rs", "")]).run("init --models"),
        Place::new().run("init --models"),
    ];
    shows!("init_with_models", shown.join("\n"));
    shows!("the_example_that_init_writes", library.read("examples/upfront_models.rs"));
    let named = format!("{package}[lib]\nname = \"shop\"\n");
    let named = Place::with(&[("Cargo.toml", &named)]);
    named.run("init --models");
    assert!(named.read("examples/upfront_models.rs").contains("use shop as _;"));
    assert!(named.read("upfront.toml").ends_with("[desired.models]\n"));
}

#[test]
fn new_writes_both_sides_and_the_sums() {
    let place = Place::new();
    place.run("init");
    shows!("new", without_versions(&place.run("new add_users")));
    shows!("new_without_a_down_side", without_versions(&place.run("new b --no-down")));
    let arguments = ["new", "c", "--irreversible", "the rows are gone"];
    shows!("new_irreversible", without_versions(&place.run_in("", &arguments)));
    shows!("new_as_json", without_versions(&place.run("new d --no-down --format json")));
    let files = place.files();
    let sides = files.iter().filter(|it| it.contains('_'));
    let texts = sides.map(|it| format!("{}\n{}", without_versions(it), place.read(it)));
    shows!("what_new_writes", texts.collect::<String>());
    shows!("up_with_unfilled_files", without_versions(&place.run("up --url postgres://h/d")));
    let names: Vec<_> = files.iter().filter_map(|it| it.strip_prefix("migrations/2")).collect();
    let mut sorted: Vec<_> = names.iter().map(|it| it.split_once('_').unwrap()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted.iter().map(|it| it.1).collect::<String>(), "add_users.sqlb.sqlc.sqld.sql");
}

#[test]
fn new_comes_after_the_last_whatever_the_clock_says() {
    let it = Place::with(&[("migrations/20990101235959_a.sql", "SELECT 1;\n")]);
    it.run("hash");
    shows!("new_after_the_clock", it.run("new b --no-down"));
    let it = Place::with(&[("migrations/0009_a.sql", "SELECT 1;\n")]);
    it.run("hash");
    shows!("new_in_a_folder_that_counts", it.run("new b"));
    let it = Place::with(&[("migrations/9_a.sql", "SELECT 1;\n")]);
    it.run("hash");
    shows!("new_where_no_number_comes_after", it.run("new b"));
}

#[test]
fn new_refuses_names_that_are_none() {
    let it = Place::new();
    let refused =
        ["a/b", "a.up", "", "_", &"x".repeat(101)].map(|name| it.run_in("", &["new", name]));
    shows!("names_that_are_refused", refused.join("\n"));
    shows!("a_reason_that_is_none", it.run_in("", &["new", "a", "--irreversible", " "]));
    shows!("no_way_back_twice", it.run("new a --no-down --irreversible x"));
    assert!(it.files().is_empty(), "{:?}", it.files());
    it.run_in("", &["new", "Add a-table", "--no-down"]);
    assert!(it.files().iter().any(|it| it.ends_with("_Add_a_table.sql")));
}

#[test]
fn new_and_check_refuse_a_folder_whose_sums_are_wrong() {
    let it = Place::with(&[("migrations/1_a.sql", "SELECT 1;\n")]);
    shows!("hash", it.run("hash"));
    shows!("hash_again", it.run("hash"));
    it.write("migrations/1_a.sql", "SELECT 2;\n");
    shows!("new_in_a_folder_that_was_edited", it.run("new b"));
    shows!("hash_check_in_a_folder_that_was_edited", it.run("hash --check"));
    assert_eq!(it.files(), ["migrations/1_a.sql", "migrations/atlas.sum"]);
    let it = Place::with(&[("migrations/1_a.sql", "SELECT 1;\n")]);
    shows!("hash_check_without_a_sum", it.run("hash --check"));
    it.run("hash");
    it.write("migrations/down/1_a.sql", "SELECT 1;\n");
    shows!("hash_check_without_a_sum_of_the_down_sides", it.run("hash --check"));
}

#[test]
fn hash_needs_a_folder() {
    shows!("hash_without_a_folder", Place::new().run("hash"));
    shows!("hash_of_another_folder", Place::new().run("hash --dir elsewhere/sql"));
}

#[test]
fn mistakes_show_their_lines() {
    let it = Place::with(&[
        ("migrations/1_a.sql", "CREATE TABLE a ();\n\n  COMMIT;\n"),
        ("migrations/2_b.sql", "CREATE ROLE x PASSWORD 'hunter2'; COMMIT;\n"),
        ("migrations/2_c.sql", ""),
        ("migrations/x.down.sql", ""),
    ])
    .variable("DATABASE_URL", "postgres://h/d");
    shows!("hash_of_a_directory_with_mistakes", it.run("hash"));
    assert!(!it.files().iter().any(|it| it.ends_with("atlas.sum")), "{:?}", it.files());
    let shown = it.run("status");
    assert!(!shown.contains("hunter2"), "{shown}");
    shows!("mistakes_of_a_directory", shown);
    shows!("mistakes_as_json", it.run("status --format json"));
    let colored = it.run("status --color always");
    assert!(colored.contains("\u{1b}["), "{colored}");
}

/// What concerns the other files of the folder is printed, too.
#[test]
fn hash_prints_warnings() {
    let it = Place::with(&[
        ("migrations/1_a.sql", "CREATE TABLE ${schema}.a ();\n"),
        ("migrations/down/1_a.sql", "-- nothing\n"),
        ("migrations/2_b.sql", "-- atlas:txmode none\n\nSET LOCAL search_path TO x;\nSELECT 1;\n"),
    ]);
    shows!("hash_with_warnings", it.run("hash"));
    shows!("hash_check_with_warnings", it.run("hash --check"));
}

#[test]
fn completions_are_printed() {
    let it = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let shown = it.run(&format!("completions {shell}"));
        assert!(shown.starts_with("exit code 0") && shown.contains("upfront"), "{shown}");
    }
}

#[test]
fn help_fits() {
    shows!("help", Place::new().run("-h"));
}
