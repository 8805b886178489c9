#![allow(dead_code)]

use upfront_model::{PgEnum, Table};

#[derive(Table)]
struct Org {
    #[col(primary_key, wrong)]
    id: i64,
}

#[derive(Table)]
struct User {
    #[col(primary_key)]
    id: i64,
    #[col(references(Org.id))]
    org: i64,
}

#[derive(PgEnum)]
enum Mood {}

#[derive(Table)]
struct Day {
    #[col(primary_key)]
    id: i64,
    mood: Mood,
}

fn main() {
    let _ = upfront_model::Models::new().table::<Org>().table::<User>().pg_enum::<Mood>();
}
