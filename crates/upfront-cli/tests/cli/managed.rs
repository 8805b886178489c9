//! `gen` from a source that cannot express everything: what it leaves alone, and what it asks for.

use upfront_scratch::Server;

use crate::place::{Place, shows};

const SETTINGS: &str = "[desired]\ncommand = \"cat models.sql\" # the ORM's own loader\n";

/// What an ORM prints: tables, their keys and indexes.
const MODELS: &str = "\
CREATE TABLE docs (id bigserial PRIMARY KEY, owner text NOT NULL, body text, at timestamptz);
CREATE INDEX idx_docs_owner ON docs (owner);
CREATE TABLE events (id bigint NOT NULL, at timestamptz NOT NULL);
";

/// The same tables with everything that was added by hand.
const BY_HAND: &str = "\
CREATE SCHEMA audit;
CREATE TABLE docs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL,
  body text, at timestamptz) WITH (fillfactor = 70);
CREATE INDEX idx_docs_owner ON docs (owner) WITH (fillfactor = 60);
CREATE TABLE events (id bigint NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE FUNCTION audit.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION audit.touch();
ALTER TABLE docs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON docs USING (owner = current_user);
CREATE VIEW recent AS SELECT id, owner FROM docs WHERE at > now() - interval '1 day';
COMMENT ON VIEW recent IS 'of a day';
GRANT SELECT ON docs, recent TO PUBLIC;
ALTER TABLE docs REPLICA IDENTITY FULL, ALTER body SET STORAGE EXTERNAL;
CREATE PUBLICATION changes FOR TABLE docs;
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
ALTER DEFAULT PRIVILEGES GRANT REFERENCES ON TABLES TO PUBLIC;
";

/// What an ORM could express and does not.
const BESIDE: &str = "\
CREATE INDEX docs_search ON docs (lower(body));
ALTER TABLE docs ADD CONSTRAINT body_is_short CHECK (length(body) < 10000);
";

fn place(files: &[(&str, &str)]) -> Place {
    let server = Server::shared().unwrap();
    let it = Place::with(files)
        .variable("UPFRONT_SCRATCH_URL", &server.url("postgres"))
        .variable("PATH", "/usr/bin:/bin");
    assert!(it.run("hash").starts_with("exit code 0"));
    it
}

fn orm(settings: &str, models: &str) -> Place {
    place(&[
        ("upfront.toml", settings),
        ("models.sql", models),
        ("migrations/1_by_hand.sql", BY_HAND),
        ("migrations/2_beside.sql", BESIDE),
    ])
}

/// The statements of the up script of this name, without comments.
fn up(it: &Place, name: &str) -> String {
    let files = it.files();
    let file = files.iter().find(|it| !it.contains("/down/") && it.ends_with(name));
    let text = it.read(file.unwrap_or_else(|| panic!("{name} is not in {files:?}")));
    let is_code = |it: &&str| !it.is_empty() && !it.starts_with("--");
    text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_added_column_is_all_that_is_written() {
    let models = MODELS.replace("body text", "body text, lang text");
    let it = orm(SETTINGS, &models);
    shows!("a_column_added_by_an_orm", it.run("gen add_lang"));
    assert_eq!(up(&it, "_add_lang.sql"), "ALTER TABLE public.docs\n  ADD COLUMN lang text;");
    // The type of a column that others use: they come back as they were.
    it.write("models.sql", &models.replace("owner text", "owner varchar(50)"));
    let shown = it.run("gen shorter --format json");
    assert!(shown.contains("\"action\": \"rebuild\",\n      \"kind\": \"policy\""), "{shown}");
    let shorter = up(&it, "_shorter.sql");
    for it in ["CREATE POLICY own ON public.docs", "CREATE VIEW public.recent", "GRANT SELECT ON"] {
        assert!(shorter.contains(it), "{shorter}");
    }
    shows!("an_orm_s_schema_checked", it.run("gen --check"));
    // A new table has what default privileges give, and keeps it.
    let tags = "CREATE TABLE tags (id bigserial PRIMARY KEY, doc bigint REFERENCES docs);\n";
    it.write("models.sql", &format!("{}{tags}", it.read("models.sql")));
    assert!(it.run("gen tags").starts_with("exit code 0"));
    let tags = up(&it, "_tags.sql");
    assert!(tags.starts_with("CREATE TABLE public.tags (") && !tags.contains("REVOKE"), "{tags}");
}

#[test]
fn what_the_orm_lacks_is_asked_for() {
    let it = orm(SETTINGS, MODELS);
    shows!("drops_without_consent", it.run("gen drops"));
    shows!("an_object_that_is_not_dropped", it.run_in("", &["gen", "x", "--drop", "index nope"]));
    let one = ["gen", "one", "--drop", "index public.docs_search"];
    assert!(it.run_in("", &one).starts_with("exit code 0"));
    assert_eq!(up(&it, "_one.sql"), "DROP INDEX CONCURRENTLY public.docs_search;");
    shows!("drops_with_consent", it.run("gen rest --allow drop --dry-run"));
    let exclude = "exclude = [\"table constraint public.docs.body_is_short\"]\n";
    it.write("upfront.toml", &format!("{SETTINGS}{exclude}"));
    assert!(it.run("gen --check").starts_with("exit code 0"));
    // A table has rows.
    it.write("models.sql", &MODELS.replace("CREATE TABLE events", "CREATE TABLE others"));
    shows!("a_table_that_may_be_renamed_by_an_orm", it.run("gen x --dry-run"));
    it.write("models.sql", MODELS.split("CREATE TABLE events").next().unwrap());
    shows!("a_table_that_the_orm_lacks", it.run("gen x"));
    assert!(it.run("gen x --allow drop").starts_with("exit code 6"));
    let shown = it.run("gen no_events --allow data-loss");
    assert!(shown.contains("drops table: public.events"), "{shown}");
}

#[test]
fn kinds_are_settings() {
    let check = |manages: &str, models: &str, arguments: &str| {
        let it = orm(SETTINGS, models);
        it.write("upfront.toml", &format!("{SETTINGS}manages = {manages}\n"));
        it.run(arguments)
    };
    shows!("a_kind_that_there_is_not", check("[\"tables\", \"furniture\"]", MODELS, "gen --check"));
    shows!("columns_without_tables", check("[\"columns\"]", MODELS, "gen --check"));
    // An index is not managed here, and so neither created nor dropped.
    let more = MODELS.replace("(owner);", "(owner);\nCREATE INDEX i ON docs (at);");
    let more = more.replace("body text", "body text, lang text");
    let shown = check("[\"tables\", \"columns\"]", &more, "gen lang --dry-run");
    assert!(shown.contains("creates column: public.docs.lang\nproven"), "{shown}");
    assert!(!shown.contains("CREATE INDEX i"), "{shown}");
    // A view is.
    let view = format!("{MODELS}CREATE VIEW names AS SELECT owner FROM docs;\n");
    let shown = check("[\"views\"]", &view, "gen x --dry-run --allow drop");
    assert!(shown.contains("drops view: public.recent\ncreates view: public.names\n"), "{shown}");
    let shown = check("[\"everything\"]", MODELS, "gen --check");
    assert!(shown.contains("only in the migrations: policy public.docs.own"), "{shown}");
}

/// A complete schema.
const PROTECTED: &str = "\
CREATE TABLE docs (id bigint PRIMARY KEY, owner text, CONSTRAINT owned CHECK (owner <> ''));
CREATE INDEX docs_owner ON docs (owner);
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON docs USING (owner = current_user);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER noted BEFORE INSERT ON docs FOR EACH ROW EXECUTE FUNCTION note();
";

#[test]
fn protection_is_taken_away_with_consent_only() {
    let it = place(&[
        ("upfront.toml", "[desired]\nsql = \"schema.sql\"\n"),
        ("migrations/1_a.sql", PROTECTED),
        ("schema.sql", "CREATE TABLE docs (id bigint PRIMARY KEY, owner text);\n"),
    ]);
    shows!("protection_without_consent", it.run("gen open"));
    shows!("protection_with_consent", it.run("gen open --dry-run --allow drop"));
    let kept = [
        "gen",
        "open",
        "--keep",
        "row security public.docs",
        "--keep",
        "policy *",
        "--keep",
        "trigger *",
        "--keep",
        "table constraint *",
    ];
    let shown = it.run_in("", &kept);
    assert!(shown.contains("drops index: public.docs_owner\n"), "{shown}");
    assert!(!shown.contains("drops policy") && !shown.contains("row security: "), "{shown}");
    let disabled = "ALTER TABLE docs DISABLE TRIGGER noted;\n\
                    REVOKE DELETE ON docs FROM CURRENT_USER;\n";
    it.write("schema.sql", &format!("{PROTECTED}{disabled}"));
    shows!("protection_that_is_disabled", it.run("gen disabled"));
}

#[test]
fn an_old_down_script_is_no_reason_to_refuse() {
    let it = place(&[
        ("upfront.toml", "[desired]\nsql = \"schema.sql\"\n"),
        ("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);\n"),
        ("migrations/down/1_a.sql", "DROP TABLE a;\n"),
        ("migrations/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);\n"),
        ("migrations/down/2_b.sql", "DROP TABLE b;\nCREATE TABLE left_behind ();\n"),
        (
            "schema.sql",
            "CREATE TABLE a (id int PRIMARY KEY, n int);\nCREATE TABLE b (id int PRIMARY KEY);\n",
        ),
    ]);
    shows!("gen_with_an_old_down_script_that_leaves_something", it.run("gen n"));
    shows!("verify_of_a_down_script_that_leaves_something", it.run("verify"));
    it.write("migrations/down/2_b.sql", "DROP TABLE nothing;\n");
    assert!(it.run("hash").starts_with("exit code 0"));
    it.write(
        "schema.sql",
        "CREATE TABLE a (id int PRIMARY KEY);\nCREATE TABLE b (id int PRIMARY KEY);\n",
    );
    shows!("gen_with_an_old_down_script_that_fails", it.run("gen o --allow data-loss"));
}
