#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(index(coalesce(nick, "nobody")))]
#[table(index(lower(nick || name)))]
struct User {
    #[col(primary_key)]
    id: i64,
    nick: Option<String>,
    name: String,
}

fn main() {}
