#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(check)]
#[table(exclude(gist))]
#[table(exclude)]
#[table(check(name = "a"))]
struct Post {
    #[col(primary_key)]
    id: i64,
}

fn main() {}
