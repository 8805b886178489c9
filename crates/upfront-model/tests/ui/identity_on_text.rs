#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Post {
    #[col(primary_key, identity)]
    id: String,
    #[col(identity)]
    number: Option<i64>,
    #[col(identity, type = "int8")]
    third: u64,
}

fn main() {}
