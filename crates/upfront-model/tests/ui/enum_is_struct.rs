#![allow(dead_code)]

use upfront_model::PgEnum;

#[derive(PgEnum)]
struct Mood {
    glad: bool,
}

#[derive(PgEnum)]
enum Other<T> {
    Glad,
    Sad(T),
}

fn main() {}
