//! Migrations of every kind, and the proof that each of them ran exactly once.

use std::time::Duration;

use deadpool_postgres::Pool;
use upfront::Migrator;

use crate::{connect, migrations, until, until::text};

/// A copy of the corpus in a schema of its own, so that many share one database.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// Of upfront's tables and of what the migrations make.
    pub schema: String,
}

/// Each writes its number into `ran`; three of them run outside a transaction.
const FILES: [(&str, &str); 8] = [
    ("1_ran.sql", "CREATE TABLE ran (step int);\nINSERT INTO ran VALUES (1);\n"),
    (
        "2_users.sql",
        "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nINSERT INTO users SELECT i, \
         'user ' || i FROM generate_series(1, 300) i;\nINSERT INTO ran VALUES (2);\n",
    ),
    (
        "3_index.sql",
        "-- atlas:txmode none\n\nSET maintenance_work_mem = '8MB';\nCREATE INDEX CONCURRENTLY \
         users_name ON users (name);\nINSERT INTO ran VALUES (3);\nVACUUM users;\n",
    ),
    ("4_email.sql", "ALTER TABLE users ADD COLUMN email text;\nINSERT INTO ran VALUES (4);\n"),
    (
        "5_rebuild.sql",
        "-- atlas:txmode none\n\nREINDEX INDEX CONCURRENTLY users_name;\nCREATE UNIQUE INDEX \
         CONCURRENTLY IF NOT EXISTS users_email ON users (email);\nINSERT INTO ran VALUES (5);\n",
    ),
    (
        "6_parts.sql",
        "CREATE TABLE parts (id int) PARTITION BY LIST (id);\nCREATE TABLE part_1 PARTITION OF \
         parts FOR VALUES IN (1);\nINSERT INTO parts VALUES (1);\nINSERT INTO ran VALUES (6);\n",
    ),
    (
        "7_detach.sql",
        "-- atlas:txmode none\n\nALTER TABLE parts DETACH PARTITION part_1 CONCURRENTLY;\nINSERT \
         INTO ran VALUES (7);\nDROP INDEX CONCURRENTLY users_name;\n",
    ),
    (
        "8_last.sql",
        "CREATE TABLE last AS SELECT count(*) FROM users;\nINSERT INTO ran VALUES (8);\n",
    ),
];

impl Corpus {
    /// A copy in a schema of this name, which must not be there yet.
    pub fn new(schema: impl Into<String>) -> Self {
        Self { schema: schema.into() }
    }

    /// Names and texts.
    pub fn files() -> &'static [(&'static str, &'static str)] {
        &FILES
    }

    /// A migrator of it on a pool.
    ///
    /// # Panics
    ///
    /// The schema has no name.
    pub fn migrator(&self, pool: Pool) -> Migrator {
        let schema = self.schema.as_str();
        let builder = Migrator::builder(migrations(&FILES), pool).schema(schema);
        builder.search_path([schema]).wait_timeout(Duration::from_secs(20)).build().unwrap()
    }

    /// Checks that a migration has left its traces if and only if it is recorded.
    ///
    /// # Panics
    ///
    /// One is there in part.
    pub async fn check_whole(&self, url: &str) {
        let (Self { schema }, client) = (self, connect(url).await);
        let tables = format!(
            "SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}' AND tablename IN \
             ('revisions', 'ran')"
        );
        if text(&client, &tables).await != "2" {
            return;
        }
        let transactional = "('1', '2', '4', '6', '8')";
        let odd = format!(
            "SELECT coalesce(r.version, e.step) FROM (SELECT version FROM {schema}.revisions \
             WHERE app = 'main' AND version IN {transactional}) r FULL JOIN (SELECT step::text \
             FROM {schema}.ran WHERE step::text IN {transactional}) e ON e.step = r.version WHERE \
             r.version IS NULL OR e.step IS NULL"
        );
        assert_eq!(text(&client, &odd).await, "", "in part, in {schema}");
    }

    /// Checks that each migration is wholly there, exactly once, and that nothing else is.
    ///
    /// # Panics
    ///
    /// One is not.
    pub async fn check_once(&self, url: &str) {
        let (Self { schema }, client) = (self, connect(url).await);
        let versions = |table: &str, which: &str| {
            format!(
                "SELECT string_agg(version, ' ' ORDER BY version) FROM {schema}.{table} WHERE app \
                 = 'main'{which}"
            )
        };
        let (eight, indexes) = ("1 2 3 4 5 6 7 8", "users_email|t\nusers_pkey|t");
        let ran = "string_agg(step::text, ' ' ORDER BY step)";
        for (sql, expected) in [
            (format!("SELECT {ran} FROM {schema}.ran"), eight),
            (versions("revisions", ""), eight),
            (versions("log", " AND outcome = 'applied'"), eight),
            (format!("SELECT count(*) FROM {schema}.steps"), "0"),
            (INDEXES.replace("SCHEMA", schema), indexes),
            (PARTITIONS.replace("SCHEMA", schema), "0"),
            (format!("SELECT count FROM {schema}.last"), "300"),
        ] {
            assert_eq!(text(&client, &sql).await, expected, "`{sql}`");
        }
        until(url, LOCKS, "0").await;
    }
}

const INDEXES: &str = "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = \
                       i.indexrelid WHERE c.relnamespace = 'SCHEMA'::regnamespace AND i.indrelid \
                       = 'SCHEMA.users'::regclass ORDER BY 1";

const PARTITIONS: &str =
    "SELECT count(*) FROM pg_inherits WHERE inhparent = 'SCHEMA.parts'::regclass";

/// A session that was dropped a moment ago may not be gone yet.
const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = \
                     (SELECT oid FROM pg_database WHERE datname = current_database())";
