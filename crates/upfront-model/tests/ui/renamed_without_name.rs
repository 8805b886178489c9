#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(index(id, renamed_from = "old"))]
struct Post {
    #[col(primary_key)]
    id: i64,
}

fn main() {}
