#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(rename_all = "camel")]
struct Post {
    #[col(primary_key)]
    id: i64,
}

fn main() {}
