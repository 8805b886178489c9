#![allow(dead_code)]

use upfront_model::Table;

#[derive(Table)]
#[table(foreign_key(id))]
struct A {
    id: i64,
}

#[derive(Table)]
#[table(foreign_key(id, references(A.id, A.id)))]
struct B {
    id: i64,
}

#[derive(Table)]
#[table(foreign_key(id, other, references(A.id, B.id)))]
struct C {
    id: i64,
    other: i64,
}

#[derive(Table)]
#[table(foreign_key(idd, references(A.id)))]
struct D {
    id: i64,
}

fn main() {}
