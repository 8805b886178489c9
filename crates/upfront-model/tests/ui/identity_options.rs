#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Post {
    #[col(identity(by_defalt))]
    id: i64,
    #[col(identity(start = "1"))]
    number: i64,
    #[col(identity(cache = 1, cache = 2))]
    third: i64,
}

fn main() {}
