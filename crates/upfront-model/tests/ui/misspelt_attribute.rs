#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
struct Note {
    #[col(primry_key)]
    id: i64,
    #[col(defalt = "0")]
    stars: i32,
}

fn main() {}
