#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Note {
    #[col(primary_key, fill = "1\n2")]
    id: i64,
}

fn main() {}
