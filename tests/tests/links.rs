//! Links and servers that do not answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use upfront::Migrator;
use upfront_scratch::Server;
use upfront_tests::{Wire, connect, migrations, pool};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");

/// The last try is cut off by the limit, before the server could answer it.
#[tokio::test]
async fn a_server_without_a_free_connection_is_not_called_unreachable() {
    let limits = [("max_connections", "3"), ("superuser_reserved_connections", "0")];
    let quiet = [("max_wal_senders", "0"), ("autovacuum", "off")];
    let builder = limits.iter().chain(&quiet);
    let builder =
        builder.fold(Server::builder().listen_tcp(), |it, (name, value)| it.setting(name, value));
    let server = builder.start().unwrap();
    let database = server.database().unwrap();
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(connect(&database.url()).await);
    }
    let wire = Wire::to(server.tcp_port().unwrap()).await;
    wire.delay(Duration::from_millis(150));
    let pool = pool(&wire.url("postgres", database.name()), 2);
    let it = Migrator::builder(migrations(&[A]), pool).wait_timeout(Duration::from_secs(2));
    let err = it.build().unwrap().up().await.unwrap_err();
    assert!(err.is_connect(), "{err}");
    assert_eq!(err.code().unwrap().code(), "53300", "{err}");
    assert!(err.to_string().contains("max_connections"), "{err}");
    drop(taken);
}
