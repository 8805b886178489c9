//! `explain`, and the last line of an error, which names its page.

use crate::place::{Place, database, shows};

#[test]
fn errors_end_with_the_name_of_a_page_that_explain_prints() {
    let database = database();
    let it = Place::on(&database, &[("migrations/1_a.sql", "CREATE TABLE a (id bigint);\n")]);
    assert!(it.run("hash").starts_with("exit code 0"));
    let check = it.run("check");
    assert!(check.trim_end().ends_with("see: upfront explain pending"), "{check}");
    let json = it.run("check --format json");
    assert!(json.contains("\"error_kind\": \"pending\""), "{json}");
    assert!(!json.contains("see: upfront"), "{json}");
    assert!(it.run("up").starts_with("exit code 0"));
    it.write("migrations/1_a.sql", "CREATE TABLE a (id int);\n");
    assert!(it.run("hash").starts_with("exit code 0"));
    let up = it.run("up");
    assert!(up.trim_end().ends_with("see: upfront explain edited"), "{up}");
    let page = it.run("explain edited");
    assert!(page.starts_with("exit code 0"), "{page}");
    assert!(page.contains("# edited") && page.contains("## What to do"), "{page}");
    assert_eq!(it.run("explain Edited"), page);
    shows!("explain_an_unknown_kind", it.run("explain edit"));
    shows!("explain_lists_all_kinds", it.run("explain"));
}
