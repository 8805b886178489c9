#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Post<T> {
    id: T,
}

#[derive(Table)]
struct Page<'a> {
    id: &'a str,
}

fn main() {}
