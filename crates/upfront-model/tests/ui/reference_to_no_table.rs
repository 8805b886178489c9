#![allow(dead_code)]

use upfront_model::Table;

struct Org {
    id: i64,
}

#[derive(Table)]
struct User {
    #[col(primary_key)]
    id: i64,
    #[col(references(Org.id))]
    org: i64,
    #[col(references(Nowhere.id))]
    elsewhere: i64,
}

fn main() {}
