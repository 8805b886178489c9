#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(name = "a name of more bytes than the sixty-three that PostgreSQL keeps of it")]
struct Post {
    #[col(primary_key)]
    id: i64,
    a_field_of_more_bytes_than_the_sixty_three_that_postgresql_keeps: String,
}

fn main() {}
