#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Post {
    #[col(primary_key, identity, default = "1")]
    id: i64,
    #[col(generated = "id + 1", default = "2")]
    next: i64,
}

fn main() {}
