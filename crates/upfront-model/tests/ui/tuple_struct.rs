#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Post(i64);

#[derive(Table)]
struct Unit;

#[derive(Table)]
union Both {
    one: i64,
    two: i64,
}

#[derive(Table)]
enum Mood {
    Glad,
}

fn main() {}
