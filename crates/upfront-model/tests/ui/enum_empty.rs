#![allow(dead_code)]

use upfront_model::PgEnum;

#[derive(PgEnum)]
enum Mood {}

fn main() {}
