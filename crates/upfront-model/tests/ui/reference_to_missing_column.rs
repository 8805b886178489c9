#![allow(dead_code)]

use upfront_model::Table;

mod other {
    #[derive(upfront_model::Table)]
    pub struct Org {
        #[col(primary_key)]
        id: i64,
        email: String,
    }
}

#[derive(Table)]
struct User {
    #[col(primary_key)]
    id: i64,
    #[col(references(other::Org.emial))]
    org: String,
}

fn main() {}
