#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(policy(for = select))]
struct Post {
    #[col(primary_key)]
    id: i64,
}

#[derive(Table)]
#[table(rls(forced))]
#[table(policy(name = "a", for = truncate))]
struct Page {
    #[col(primary_key)]
    id: i64,
}

fn main() {}
