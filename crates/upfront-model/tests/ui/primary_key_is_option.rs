#![allow(dead_code)]

use upfront_model::Table;

type Maybe<T> = Option<T>;

#[derive(Table)]
struct Post {
    #[col(primary_key)]
    id: Option<i64>,
}

#[derive(Table)]
#[table(primary_key(id, number))]
struct Page {
    id: i64,
    number: Maybe<i64>,
}

fn main() {}
