#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Post {
    #[col(primary_key(nulls_not_distinct))]
    id: i64,
    #[col(unique(id))]
    number: i64,
}

#[derive(Table)]
#[table(unique)]
#[table(unique(id, within = 1))]
struct Page {
    id: i64,
}

fn main() {}
