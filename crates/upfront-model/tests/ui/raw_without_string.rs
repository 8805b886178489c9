#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(raw)]
struct Note {
    #[col(primary_key)]
    id: i64,
}

#[derive(Table)]
#[table(raw = 5)]
struct Page {
    #[col(primary_key)]
    id: i64,
}

fn main() {}
