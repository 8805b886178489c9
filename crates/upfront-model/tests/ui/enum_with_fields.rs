#![allow(dead_code)]

use upfront_model::PgEnum;

#[derive(PgEnum)]
enum Mood {
    Glad(i32),
    Sad { why: String },
    Fair,
}

fn main() {}
