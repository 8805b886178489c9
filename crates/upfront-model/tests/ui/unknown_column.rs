#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(unique(titel))]
#[table(index(author, lower(tilte)))]
#[table(index(titlle desc, uniqe))]
struct Post {
    #[col(primary_key)]
    id: i64,
    title: String,
}

#[derive(Table)]
#[table(primary_key(id, pages))]
struct Page {
    id: i64,
    page: i64,
}

fn main() {}
