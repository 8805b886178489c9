#![allow(dead_code)]

use upfront_model::PgEnum;

#[derive(PgEnum)]
#[pg_enum(rename_all = "snake", nam = "x")]
enum Mood {
    Glad,
}

#[derive(PgEnum)]
enum Other {
    #[pg_enum(rename = "x")]
    Glad,
    #[pg_enum(name = "Same")]
    Sad,
    Same,
}

fn main() {}
