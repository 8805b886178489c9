#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Note {
    #[col(primary_key, default)]
    id: i64,
    #[col(default = 0)]
    stars: i32,
}

fn main() {}
