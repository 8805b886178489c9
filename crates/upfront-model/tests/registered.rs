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

mod framework {
    pub(crate) use upfront_model as schema;
}

mod renamed {
    #[derive(upfront_model::PgEnum)]
    #[pg_enum(crate = crate::framework::schema)]
    enum Weather {
        Fair,
    }

    #[derive(upfront_model::Table)]
    #[table(crate = crate::framework::schema)]
    struct Day {
        #[col(primary_key)]
        id: i64,
        weather: Weather,
    }
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
    let expected = [
        "-- registered::Mood",
        "-- registered::renamed::Weather",
        "-- registered::renamed::Day",
        "-- registered::Local",
        "-- registered::inner::Private",
    ];
    assert_eq!(heads, expected);
    assert_eq!(ddl, Models::registered().ddl().unwrap().to_string());
}
