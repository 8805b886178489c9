//! A model is known as soon as it is derived, wherever it stands.

#![allow(dead_code)]

use upfront_model::Models;

mod inner {
    #[derive(upfront_model::Table)]
    struct Private {
        #[col(primary_key)]
        id: i64,
    }
}

#[derive(upfront_model::PgEnum)]
enum Mood {
    Glad,
}

#[test]
fn prints_what_nobody_named() {
    #[derive(upfront_model::Table)]
    struct Local {
        #[col(primary_key)]
        id: i64,
        mood: Mood,
    }

    let ddl = upfront_model::ddl().unwrap().to_string();
    let heads: Vec<_> = ddl.lines().filter(|it| it.starts_with("-- ")).collect();
    assert_eq!(
        heads,
        ["-- registered::Mood", "-- registered::Local", "-- registered::inner::Private"]
    );
    assert_eq!(ddl, Models::registered().ddl().unwrap().to_string());
}
