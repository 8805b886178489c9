#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(shema = "app")]
struct Note {
    #[col(primary_key)]
    id: i64,
}

fn main() {}
