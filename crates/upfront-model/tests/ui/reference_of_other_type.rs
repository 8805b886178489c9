#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Org {
    #[col(primary_key)]
    id: i64,
    name: String,
}

#[derive(Table)]
#[table(foreign_key(org, name, references(Org.id, Org.id)))]
struct User {
    #[col(primary_key)]
    id: i64,
    #[col(references(Org.id))]
    org: i32,
    #[col(references(Org.name), type = "citext")]
    name: String,
}

fn main() {}
