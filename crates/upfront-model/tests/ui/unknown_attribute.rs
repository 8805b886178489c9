#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Note {
    #[col(primary_key, immutable)]
    id: i64,
}

fn main() {}
