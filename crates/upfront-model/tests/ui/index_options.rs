#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(index())]
#[table(index(title, wher = "true"))]
#[table(index(title nulls middle))]
#[table(index(title, nulls_not_distinct))]
struct Post {
    #[col(primary_key, index(descending))]
    id: i64,
    title: String,
}

fn main() {}
