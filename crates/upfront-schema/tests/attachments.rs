//! Indexes of partitions that are part of the index above, or are not.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use upfront_schema::{Options, Strategy, prove};
use upfront_scratch::Server;

const TABLES: &str = "CREATE TABLE ev (id int NOT NULL, k text) PARTITION BY RANGE (id);
CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
CREATE TABLE ev_11 PARTITION OF ev_1 FOR VALUES FROM (0) TO (5);
CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM (10) TO (20);
CREATE INDEX ev_k ON ONLY ev (k); CREATE INDEX ev_k2 ON ONLY ev (k);
CREATE INDEX ev_1_k ON ONLY ev_1 (k); CREATE INDEX ev_11_k ON ev_11 (k);
CREATE INDEX ev_2_k ON ev_2 (k);
COMMENT ON INDEX ev_2_k IS 'stays';";

#[test]
fn an_attached_index_is_another_one() {
    let all = [
        "ALTER INDEX ev_k ATTACH PARTITION ev_1_k; ALTER INDEX ev_1_k ATTACH PARTITION ev_11_k;
         ALTER INDEX ev_k ATTACH PARTITION ev_2_k",
        "ALTER INDEX ev_k ATTACH PARTITION ev_1_k; ALTER INDEX ev_k ATTACH PARTITION ev_2_k",
        "ALTER INDEX ev_k2 ATTACH PARTITION ev_2_k",
        "",
    ];
    let server = Server::shared().unwrap();
    let databases = all.map(|it| {
        let database = server.database().unwrap();
        database.psql(&format!("{TABLES} {it}")).unwrap();
        database
    });
    // Both ways are tried.
    for pair in databases.windows(2) {
        for strategy in [Strategy::Plain, Strategy::Online] {
            let proof = prove(&pair[0], &pair[1], &Options { strategy, ..Options::default() });
            let proof = proof.unwrap_or_else(|err| panic!("{strategy:?}: {err}"));
            assert!(!proof.up.is_empty() && !proof.down.is_empty());
        }
    }
}

/// No SQL takes a key out of the one above without the drop of both.
#[test]
fn an_attached_key_is_another_one() {
    let tables = "CREATE TABLE ev (id int NOT NULL) PARTITION BY RANGE (id);
        CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (0) TO (10);
        ALTER TABLE ONLY ev ADD CONSTRAINT ev_pk PRIMARY KEY (id);
        ALTER TABLE ev_1 ADD CONSTRAINT ev_1_pk PRIMARY KEY (id);";
    let server = Server::shared().unwrap();
    let [apart, attached] = ["", "ALTER INDEX ev_pk ATTACH PARTITION ev_1_pk"].map(|it| {
        let database = server.database().unwrap();
        database.psql(&format!("{tables} {it}")).unwrap();
        database
    });
    let plan = upfront_schema::prove_up(&apart, &attached, &Options::default()).unwrap();
    assert!(plan.to_string().contains("ALTER INDEX public.ev_pk ATTACH PARTITION public.ev_1_pk"));
    let refused = upfront_schema::prove_up(&attached, &apart, &Options::default()).unwrap_err();
    assert!(
        refused.is_refused() && refused.to_string().contains("cannot be detached"),
        "{refused}"
    );
}
