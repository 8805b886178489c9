#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table = "notes"]
struct Note {
    #[col]
    id: i64,
}

fn main() {}
