//! `schema --format mermaid` and `dot`.

use upfront_scratch::Server;

use crate::place::{Place, shows};

const SCHEMA: &str = "
CREATE SCHEMA \"odd \"\"one\"\"\";
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE users (id bigint PRIMARY KEY, name varchar(40) NOT NULL UNIQUE, mood mood[],
  boss bigint REFERENCES users);
CREATE TABLE profiles (id bigint PRIMARY KEY REFERENCES users, price numeric(10,2));
CREATE TABLE posts (author bigint NOT NULL REFERENCES users, number int, \"line
feed\" text, PRIMARY KEY (author, number));
CREATE TABLE \"odd \"\"one\"\"\".\"<select> #1; 100%\" (\"a \\ & b\" int, \"1st\" bigint,
  CONSTRAINT \"k \"\"1\"\"
\" FOREIGN KEY (\"1st\", \"a \\ & b\") REFERENCES posts);
CREATE TABLE events (at timestamptz, \"user\" bigint REFERENCES users) PARTITION BY RANGE (at);
CREATE TABLE e1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE e2 PARTITION OF events DEFAULT;
CREATE TABLE more () INHERITS (profiles);
CREATE VIEW v AS SELECT * FROM users;
CREATE TABLE seaql_migrations (version text);
CREATE TABLE left_out (id bigint REFERENCES users);
";

#[test]
fn draws_tables_and_their_references() {
    let settings = "[desired]\nsql = \"schema.sql\"\nexclude = [\"table public.left_*\"]\n";
    let it = Place::with(&[("upfront.toml", settings), ("schema.sql", SCHEMA)])
        .variable("UPFRONT_SCRATCH_URL", &Server::shared().unwrap().url("postgres"));
    shows!("picture_as_mermaid", it.run("schema --from schema.sql --format mermaid"));
    shows!("picture_as_dot", it.run("--format dot schema --from schema.sql"));
    it.write("one.sql", "CREATE TABLE a (id int PRIMARY KEY, b int UNIQUE NOT NULL REFERENCES a);");
    shows!("picture_of_one_schema", it.run("schema --from one.sql --format mermaid"));
    shows!("picture_of_another_verb", it.run("hash --format dot"));
    shows!("picture_of_no_format", it.run("schema --format png"));
}
