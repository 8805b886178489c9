//! What the migrators have to do: small directories, and databases as they find them.

use crate::{failure::Result, migrate::Verb};

/// A name such as `1_a.sql` or `down/1_a.sql`, and the text.
pub(crate) type File = (&'static str, &'static str);

/// One task for a migrator. Every body counts its runs in the table `ran` or `undone`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    /// What the database has before anything of upfront's, by psql.
    pub(crate) setup: &'static str,
    /// What an undisturbed migrator has applied before.
    pub(crate) before: &'static [File],
    /// What the migrator carries.
    pub(crate) files: &'static [File],
    /// The target of a rollback.
    pub(crate) to: Option<&'static str>,
    /// What psql runs, after `setup`, in place of upfront: texts in this order.
    pub(crate) script: &'static [&'static str],
    /// Did the statement take effect whose outcome upfront calls unknown? Returns `t` or `f`; only
    /// a scenario that has such a statement may stop as partially applied.
    pub(crate) took_effect: Option<&'static str>,
}

/// The scenarios that every class can run: without debug assertions `dev` follows no directory.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    ALL.iter().filter(|it| cfg!(debug_assertions) || it.verb != Verb::Dev)
}

/// The scenario with a name.
///
/// # Errors
///
/// This build has no such scenario.
pub(crate) fn named(name: &str) -> Result<&'static Scenario> {
    let found = all().chain(SPECIAL).find(|it| it.name == name);
    found.ok_or_else(|| format!("`{name}` is not a scenario of this build").into())
}

const RAN: &str = "CREATE TABLE ran (step int);\nINSERT INTO ran VALUES (1);\n";
const USERS: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok');\n\
    CREATE TABLE users (id bigint PRIMARY KEY, name text, mood mood);\n\
    INSERT INTO users SELECT i, 'user ' || i, 'ok' FROM generate_series(1, 50) i;\n\
    INSERT INTO ran VALUES (2);\n";
const EMAIL: &str = "ALTER TABLE users ADD COLUMN email text;\n\
    CREATE INDEX users_email ON users (email);\n\
    CREATE FUNCTION shout(it text) RETURNS text LANGUAGE sql AS $$ SELECT upper(it) || ';' $$;\n\
    INSERT INTO ran VALUES (3);\n";
const NOTES: &str = "CREATE TABLE notes (id bigint REFERENCES users, body text NOT NULL);\n\
    INSERT INTO notes VALUES (1, 'a'), (2, 'b');\nINSERT INTO ran VALUES (4);\n";
const OUTSIDE: &str = "-- atlas:txmode none\n\n\
    INSERT INTO ran VALUES (5);\n\
    CREATE INDEX CONCURRENTLY users_name ON users (name);\n\
    ALTER TYPE mood ADD VALUE 'happy';\n\
    VACUUM users;\n\
    INSERT INTO ran VALUES (6);\n";
const REBUILD: &str = "-- atlas:txmode none\n\n\
    CREATE UNIQUE INDEX CONCURRENTLY users_mood ON users (mood, id);\n\
    REINDEX INDEX CONCURRENTLY users_mood;\n\
    INSERT INTO ran VALUES (5);\n";
/// Each row of the index executes a statement, so faults come in the middle of a build too.
const SLOW: &str = "CREATE FUNCTION slow(it text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ \
    BEGIN PERFORM 1; RETURN it; END $$;\nINSERT INTO ran VALUES (3);\n";
const BUILDING: &str = "-- atlas:txmode none\n\n\
    CREATE INDEX CONCURRENTLY users_slow ON users (slow(name)) WHERE id <= 3;\n\
    INSERT INTO ran VALUES (4);\n\
    REINDEX INDEX CONCURRENTLY users_slow;\n\
    CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_unique ON users (slow(name), id) WHERE id <= 2;\n\
    INSERT INTO ran VALUES (5);\n";
const COPY: &str = "CREATE TABLE rates (code text PRIMARY KEY, rate numeric);\n\
    COPY rates (code, rate) FROM stdin;\neur\t1.0\nusd\t1.08\nchf\t0.94\n\\.\n\
    UPDATE rates SET rate = rate * 2;\nINSERT INTO ran VALUES (3);\n";
const UNKNOWN: &str = "-- atlas:txmode none\n\n\
    INSERT INTO ran VALUES (5);\n\
    DO $$ BEGIN INSERT INTO ran VALUES (100); END $$;\n\
    INSERT INTO ran VALUES (6);\n";
const CHECKPOINT: &str = "-- atlas:checkpoint\n\n\
    CREATE TABLE ran (step int);\n\
    CREATE TYPE mood AS ENUM ('sad', 'ok');\n\
    CREATE TABLE users (id bigint PRIMARY KEY, name text, mood mood, email text);\n\
    INSERT INTO ran VALUES (30);\n";

const DOWN_USERS: &str = "DROP TABLE users;\nDROP TYPE mood;\nINSERT INTO undone VALUES (2);\n";
const DOWN_EMAIL: &str = "DROP FUNCTION shout(text);\nALTER TABLE users DROP COLUMN email;\n\
    INSERT INTO undone VALUES (3);\n";
const DOWN_NOTES: &str = "DROP TABLE notes;\nINSERT INTO undone VALUES (4);\n";
const NAMES: &str = "CREATE INDEX users_name ON users (name);\n\
    CREATE TABLE names (name text);\nINSERT INTO ran VALUES (5);\n";
const DOWN_NAMES: &str = "-- atlas:txmode none\n\n\
    INSERT INTO undone VALUES (5);\n\
    DROP INDEX CONCURRENTLY users_name;\n\
    DROP TABLE names;\n\
    INSERT INTO undone VALUES (6);\n";
const UNDONE: &str = "CREATE TABLE undone (step int);\n";

const EDITED: &str =
    "ALTER TABLE users ADD COLUMN email varchar(80);\nINSERT INTO ran VALUES (7);\n";

/// As sqlx writes it; its hashes are SHA-384.
const SQLX: &str = "CREATE TABLE ran (step int);\nINSERT INTO ran VALUES (1);\n\
    CREATE TYPE mood AS ENUM ('sad', 'ok');\n\
    CREATE TABLE users (id bigint PRIMARY KEY, name text, mood mood);\n\
    INSERT INTO users SELECT i, 'user ' || i, 'ok' FROM generate_series(1, 50) i;\n\
    INSERT INTO ran VALUES (2);\n\
    CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, \
    installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT \
    NULL, execution_time bigint NOT NULL);\n\
    INSERT INTO _sqlx_migrations VALUES \
    (1, 'ran', '2026-01-01', true, sha384(convert_to($f$RAN$f$, 'UTF8')), 1), \
    (2, 'users', '2026-01-01', true, sha384(convert_to($f$USERS$f$, 'UTF8')), 1);\n";

/// The setup of a scenario, with the texts of files where it names them.
pub(crate) fn setup(it: &Scenario) -> String {
    it.setup
        .replace("$f$RAN$f$", &format!("$f${RAN}$f$"))
        .replace("$f$USERS$f$", &format!("$f${USERS}$f$"))
}

const BASE: Scenario = Scenario {
    name: "",
    verb: Verb::Up,
    setup: "",
    before: &[],
    files: &[],
    to: None,
    script: &[],
    took_effect: None,
};

/// The scenarios of every class that can.
const ALL: &[Scenario] = &[
    Scenario {
        name: "first",
        files: &[("1_ran.sql", RAN), ("2_users.sql", USERS), ("3_email.sql", EMAIL)],
        script: &[RAN, USERS, EMAIL],
        ..BASE
    },
    Scenario {
        name: "later",
        before: &[("1_ran.sql", RAN), ("2_users.sql", USERS)],
        files: &[
            ("1_ran.sql", RAN),
            ("2_users.sql", USERS),
            ("3_email.sql", EMAIL),
            ("4_notes.sql", NOTES),
        ],
        script: &[RAN, USERS, EMAIL, NOTES],
        ..BASE
    },
    Scenario {
        name: "outside",
        before: &[("1_ran.sql", RAN), ("2_users.sql", USERS)],
        files: &[("1_ran.sql", RAN), ("2_users.sql", USERS), ("3_outside.sql", OUTSIDE)],
        script: &[RAN, USERS, OUTSIDE],
        ..BASE
    },
    Scenario {
        name: "mixed",
        files: &[
            ("1_ran.sql", RAN),
            ("2_users.sql", USERS),
            ("3_rebuild.sql", REBUILD),
            ("4_notes.sql", NOTES),
        ],
        script: &[RAN, USERS, REBUILD, NOTES],
        ..BASE
    },
    Scenario {
        name: "building",
        before: &[("1_ran.sql", RAN), ("2_users.sql", USERS), ("3_slow.sql", SLOW)],
        files: &[
            ("1_ran.sql", RAN),
            ("2_users.sql", USERS),
            ("3_slow.sql", SLOW),
            ("4_building.sql", BUILDING),
        ],
        script: &[RAN, USERS, SLOW, BUILDING],
        ..BASE
    },
    Scenario {
        name: "copy",
        before: &[("1_ran.sql", RAN), ("2_users.sql", USERS)],
        files: &[("1_ran.sql", RAN), ("2_users.sql", USERS), ("3_copy.sql", COPY)],
        script: &[RAN, USERS, COPY],
        ..BASE
    },
    Scenario {
        name: "checkpoint",
        files: &[
            ("1_ran.sql", RAN),
            ("2_users.sql", USERS),
            ("3_checkpoint.sql", CHECKPOINT),
            ("4_notes.sql", "CREATE TABLE notes (id bigint);\nINSERT INTO ran VALUES (4);\n"),
        ],
        script: &[CHECKPOINT, "CREATE TABLE notes (id bigint);\nINSERT INTO ran VALUES (4);\n"],
        ..BASE
    },
    Scenario {
        name: "unknown",
        before: &[("1_ran.sql", RAN), ("2_users.sql", USERS)],
        files: &[("1_ran.sql", RAN), ("2_users.sql", USERS), ("3_unknown.sql", UNKNOWN)],
        script: &[RAN, USERS, UNKNOWN],
        took_effect: Some("SELECT EXISTS (SELECT FROM ran WHERE step = 100)"),
        ..BASE
    },
    Scenario {
        name: "down",
        verb: Verb::Down,
        setup: UNDONE,
        to: Some("1"),
        before: DOWN,
        files: DOWN,
        script: &[RAN, USERS, EMAIL, NOTES, DOWN_NOTES, DOWN_EMAIL, DOWN_USERS],
        ..BASE
    },
    Scenario {
        name: "down-outside",
        verb: Verb::Down,
        setup: UNDONE,
        to: Some("2"),
        before: DOWN_OUTSIDE,
        files: DOWN_OUTSIDE,
        script: &[RAN, USERS, NAMES, DOWN_NAMES],
        ..BASE
    },
    Scenario {
        name: "down-mixed",
        verb: Verb::Down,
        setup: UNDONE,
        to: Some("1"),
        before: DOWN_OUTSIDE,
        files: DOWN_OUTSIDE,
        script: &[RAN, USERS, NAMES, DOWN_NAMES, DOWN_USERS],
        ..BASE
    },
    Scenario {
        name: "dev",
        verb: Verb::Dev,
        setup: UNDONE,
        before: &[
            ("1_ran.sql", RAN),
            ("2_users.sql", USERS),
            ("3_email.sql", EMAIL),
            ("down/3_email.sql", DOWN_EMAIL),
        ],
        files: &[("1_ran.sql", RAN), ("2_users.sql", USERS), ("3_email.sql", EDITED)],
        script: &[RAN, USERS, EMAIL, DOWN_EMAIL, EDITED],
        ..BASE
    },
    Scenario {
        name: "adopt",
        verb: Verb::Adopt,
        setup: SQLX,
        files: &[("1_ran.sql", RAN), ("2_users.sql", USERS), ("3_email.sql", EMAIL)],
        script: &[EMAIL],
        ..BASE
    },
];

const WIDE: &str = "DO $$ BEGIN FOR i IN 1..1500 LOOP EXECUTE format('CREATE TABLE wide_%s ()', i); \
    END LOOP; END $$;\nINSERT INTO ran VALUES (3);\n";
const LARGE: &str = "CREATE TABLE large AS SELECT i, repeat('x', 500) AS text FROM \
    generate_series(1, 100000) i;\nDELETE FROM large WHERE i > 9;\nINSERT INTO ran VALUES (3);\n";

/// Scenarios of a single class.
const SPECIAL: &[Scenario] = &[
    Scenario {
        name: "wide",
        before: &[("1_ran.sql", RAN)],
        files: &[("1_ran.sql", RAN), ("2_wide.sql", WIDE)],
        script: &[RAN, WIDE],
        ..BASE
    },
    Scenario {
        name: "large",
        before: &[("1_ran.sql", RAN)],
        files: &[("1_ran.sql", RAN), ("2_large.sql", LARGE)],
        script: &[RAN, LARGE],
        ..BASE
    },
];

const DOWN: &[File] = &[
    ("1_ran.sql", RAN),
    ("2_users.sql", USERS),
    ("down/2_users.sql", DOWN_USERS),
    ("3_email.sql", EMAIL),
    ("down/3_email.sql", DOWN_EMAIL),
    ("4_notes.sql", NOTES),
    ("down/4_notes.sql", DOWN_NOTES),
];

const DOWN_OUTSIDE: &[File] = &[
    ("1_ran.sql", RAN),
    ("2_users.sql", USERS),
    ("down/2_users.sql", DOWN_USERS),
    ("3_names.sql", NAMES),
    ("down/3_names.sql", DOWN_NAMES),
];
