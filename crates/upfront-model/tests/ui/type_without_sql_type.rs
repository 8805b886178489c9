#![allow(dead_code)]

use upfront_model::Table;

struct Price;

#[derive(Table)]
struct Post {
    #[col(primary_key)]
    id: i64,
    price: Price,
    stars: Option<u64>,
    #[col(references(Other.price))]
    other: i64,
}

#[derive(Table)]
struct Other {
    #[col(primary_key)]
    price: Vec<Price>,
}

fn main() {}
