#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Post {
    #[col(primary_key)]
    id: i64,
    #[col(primary_key)]
    number: i64,
}

#[derive(Table)]
#[table(primary_key(number))]
struct Page {
    #[col(primary_key)]
    id: i64,
    number: i64,
}

#[derive(Table)]
#[table(no_primary_key)]
struct Line {
    #[col(primary_key)]
    id: i64,
}

fn main() {}
