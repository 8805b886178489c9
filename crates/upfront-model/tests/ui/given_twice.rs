#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(name = "notes", name = "note")]
struct Note {
    #[col(primary_key, primary_key)]
    id: i64,
    #[col(unique, unique)]
    text: String,
}

fn main() {}
