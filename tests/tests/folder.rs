//! The second door: a folder that the application embeds with rust-embed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use rust_embed::RustEmbed;
use upfront::{Migrations, Migrator};
use upfront_tests::{database, pool};

#[derive(RustEmbed)]
#[folder = "tests/folder/good"]
struct Good;

#[derive(RustEmbed)]
#[folder = "tests/folder/edited"]
struct Edited;

#[tokio::test]
async fn a_folder_of_rust_embed_boots() {
    let database = database();
    let it = Migrator::new(Migrations::from_embed::<Good>(), pool(&database.url(), 1));
    assert_eq!(it.up().await.unwrap().applied.len(), 2);
    assert!(it.up().await.unwrap().is_unchanged());
    let down = "select down_sql from upfront.revisions where app = 'main' order by version limit 1";
    assert_eq!(database.psql(down).unwrap().trim(), "DROP TABLE a;");
}

#[tokio::test]
async fn its_mistakes_appear_at_the_boot() {
    let pool = pool("postgres://nobody@127.0.0.1:1/none", 1);
    let it = Migrator::new(Migrations::from_embed::<Edited>(), pool);
    insta::assert_snapshot!(it.up().await.unwrap_err());
}
