#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Post {
    #[col(primary_key)]
    id: i64,
    title: String,
    #[col(name = "title")]
    heading: String,
}

fn main() {}
