#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Org {
    #[col(primary_key)]
    id: i64,
}

#[derive(Table)]
struct User {
    #[col(references(Org::id))]
    one: i64,
    #[col(references(Org))]
    two: i64,
    #[col(references)]
    three: i64,
    #[col(references(Org.id, on_delete = cascde))]
    four: i64,
    #[col(references(Org.id, ondelete = cascade))]
    five: i64,
    #[col(references(Org.id, Org.id))]
    six: i64,
}

fn main() {}
