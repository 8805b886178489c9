//! Forms of secrets in migrations, and texts that look like a secret but are not.

use proptest::prelude::*;
use upfront_redact::{redact, redact_message, secrets};

/// No part of the secret is left, and something else is.
fn hides(sql: &str) {
    let shown = redact(sql);
    assert!(!shown.to_lowercase().contains("s3cret"), "not hidden:\n{sql}\n{shown}");
    assert_eq!(shown.lines().count(), sql.lines().count(), "{sql}\n{shown}");
}

fn keeps(sql: &str) {
    assert_eq!(redact(sql), sql);
    assert!(secrets(sql).is_empty());
}

fn shows(sql: &str, expected: &str) {
    assert_eq!(redact(sql), expected, "{sql}");
}

#[test]
fn hides_passwords_of_roles() {
    hides("ALTER ROLE a PASSWORD 'S3CRET'");
    hides("create user a with encrypted password E'S3CRET\\n'");
    hides("CREATE USER a PASSWORD $$S3CRET$$");
    hides("CREATE USER a PASSWORD $pw$S3CRET$pw$ LOGIN");
    hides("ALTER ROLE a PASSWORD S3CRET");
    hides("ALTER ROLE a PASSWORD \"S3CRET\"");
    hides("ALTER ROLE a PASSWORD U&'S3CRET'");
    hides("ALTER ROLE a PASSWORD 'it''s S3CRET'");
    hides("ALTER ROLE a PASSWORD /* S3 */ 'S3CRET'");
    hides("ALTER ROLE a PASSWORD\n  'S3CRET'");
    hides("ALTER ROLE a PASSWORD 'S3'\n'S3CRET'");
    hides("ALTER GROUP a WITH LOGIN PASSWORD = 'S3CRET'");
    hides("ALTER ROLE a PASSWORD 'SCRAM-SHA-256$4096:S3CRETS3CRETS3CRET$x:y'");
    shows(
        "ALTER ROLE a PASSWORD 'S3CRET' VALID UNTIL '2030-01-01'",
        "ALTER ROLE a PASSWORD '***' VALID UNTIL '2030-01-01'",
    );
}

#[test]
fn hides_what_is_put_into_statements() {
    let body = |it: &str| format!("DO $$BEGIN {it}; END$$");
    for it in [
        "EXECUTE 'ALTER ROLE a PASSWORD ''S3CRET'''",
        "EXECUTE format('ALTER ROLE nobody PASSWORD %L', 'S3CRET')",
        "EXECUTE format('ALTER ROLE %I PASSWORD %L', 'nobody', 'S3CRET')",
        "EXECUTE format('ALTER ROLE %1$I PASSWORD %2$L', 'nobody', 'S3CRET')",
        "EXECUTE format('ALTER ROLE %I WITH PASSWORD ''%s''', 'nobody', 'S3CRET')",
        "EXECUTE format($q$ALTER ROLE nobody PASSWORD %L$q$, $p$S3CRET$p$)",
        "EXECUTE 'ALTER ROLE a PASSWORD ' || quote_literal('S3CRET')",
        "EXECUTE 'ALTER ROLE a PASSWORD ''' || 'S3CRET' || ''''",
        "EXECUTE concat('ALTER ROLE a PASSWORD ', quote_literal('S3CRET'))",
        "EXECUTE replace('ALTER ROLE a PASSWORD ''@@''', '@@', 'S3CRET')",
        "EXECUTE 'UPDATE u SET password = $1' USING 'S3CRET'",
        "PERFORM dblink_exec('h', 'ALTER ROLE a PASSWORD ''S3CRET''')",
        "EXECUTE E'ALTER ROLE a PASSWORD \\'S3CRET\\''",
        "EXECUTE format('SELECT 1 -- PASSWORD %L', 'S3CRET')",
        "RAISE NOTICE 'password: %', 'S3CRET'",
        "RAISE NOTICE 'the password is %', 'S3CRET'",
        "RAISE EXCEPTION 'password=%', 'S3CRET'",
        "RAISE EXCEPTION 'password = S3CRET'",
        "RAISE EXCEPTION 'password: S3CRET'",
        "PERFORM set_config('app.password', 'S3CRET', true)",
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (anything 'S3CRET')",
    ] {
        hides(&body(it));
        hides(&body(it).replace("$$", "$body$"));
    }
    hides(
        "DO $$ DECLARE pw text := 'S3CRET'; BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', pw); END $$",
    );
    hides(
        "DO $$ DECLARE x text := 'S3CRET'; BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', x); END $$",
    );
    hides(
        "DO $$ DECLARE x CONSTANT text = 'S3CRET'; BEGIN EXECUTE 'ALTER ROLE a PASSWORD ' || quote_literal(x); END $$",
    );
    hides("DO $$ DECLARE api_token varchar(20) NOT NULL := 'S3CRET'; BEGIN NULL; END $$");
    hides("DO 'BEGIN EXECUTE ''ALTER ROLE a PASSWORD ''''S3CRET''''''; END'");
    hides(
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''S3CRET'''; END$$",
    );
    hides(
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT crypt(''S3CRET'', gen_salt(''bf''))'",
    );
    hides(
        "CREATE OR REPLACE PROCEDURE f() LANGUAGE plpython3u AS $$ plpy.execute(\"ALTER ROLE a PASSWORD 'S3CRET'\") $$",
    );
    hides(
        "CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT crypt('S3CRET', gen_salt('bf')); END",
    );
    hides("SELECT format('ALTER ROLE a PASSWORD %L', 'S3CRET')");
}

#[test]
fn hides_options_settings_and_connection_strings() {
    for it in [
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'a', password 'S3CRET')",
        "ALTER USER MAPPING FOR a SERVER s OPTIONS (SET \"password\" 'S3CRET', ADD pwd 'S3CRET')",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', api_key 'S3CRET')",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (conn 'DRIVER=x;UID=sa;PWD=S3CRET;')",
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=S3CRET user=u' PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password = ''S3CRET''' PUBLICATION p",
        "ALTER SUBSCRIPTION s CONNECTION $$host=h password=S3CRET$$",
        "CREATE SUBSCRIPTION s CONNECTION 'postgresql://u:S3CRET@h/d' PUBLICATION p",
        "SELECT dblink_connect('host=h sslpassword=S3CRET')",
        "SELECT dblink_connect('postgres://a:S3CRET@h/d')",
        "SELECT dblink_connect('postgres://a:p@S3CRET/w?rd@h/d')",
        "SELECT * FROM dblink('postgres://h/d?user=a&password=S3CRET&x=y', 'SELECT 1') AS t(i int)",
        "SET app.secret = 'S3CRET'",
        "SET app.secret TO S3CRET",
        "SET LOCAL \"app.jwt_secret\" TO 'S3CRET'",
        "ALTER DATABASE d SET \"app.settings.jwt_secret\" TO 'S3CRET'",
        "ALTER ROLE r SET app.api_key = 'S3CRET'",
        "SELECT set_config('app.jwt_secret', 'S3CRET', false)",
        "ALTER SYSTEM SET primary_conninfo = 'host=h password=S3CRET'",
        "ALTER SYSTEM SET ssl_passphrase_command = 'echo S3CRET'",
        "COPY t FROM PROGRAM 'curl -u user:S3CRET https://h/x'",
        "COPY t FROM PROGRAM 'PGPASSWORD=S3CRET psql -c x'",
        "COPY t FROM PROGRAM 'x --password S3CRET'",
        "INSERT INTO hooks VALUES ('https://user:S3CRET@example.com/x')",
        "SELECT cron.schedule('x', '* * * * *', $$SELECT net.http_post('https://h', headers := '{\"Authorization\": \"Bearer S3CRET\"}')$$)",
        "-- postgres://u:S3CRET@h\nSELECT 1",
        "-- ALTER ROLE a PASSWORD 'S3CRET'\nSELECT 1",
        "SELECT 1 /* password=S3CRET */",
    ] {
        hides(it);
    }
    shows(
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'bob', password 'x')",
        "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'bob', password '***')",
    );
    shows(
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=x user=u' PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=*** user=u' PUBLICATION p",
    );
}

#[test]
fn hides_arguments_and_values() {
    for it in [
        "SELECT crypt('S3CRET', gen_salt('bf'))",
        "SELECT public.crypt('S3' || 'CRET S3CRET', gen_salt('bf', 8))",
        "SELECT pgp_sym_encrypt('data S3CRET', 'S3CRET', 'cipher-algo=aes256')",
        "SELECT pgp_sym_decrypt(d, 'S3CRET') FROM t",
        "SELECT encode(hmac('x', 'S3CRET', 'sha256'), 'hex')",
        "SELECT encrypt('x', 'S3CRET'::bytea, 'aes')",
        "SELECT digest('S3CRET', 'sha256')",
        "SELECT vault.create_secret('S3CRET', 'name')",
        "SELECT aws_commons.create_aws_credentials('k', 'S3CRET', '')",
        "INSERT INTO users (name, password) VALUES ('a', 'S3CRET'), ('b', 'S3CRET')",
        "INSERT INTO users (name, password_hash) SELECT 'a', 'S3CRET' FROM t",
        "INSERT INTO users (name, pin, password) OVERRIDING SYSTEM VALUE VALUES ('a', 1, lower('S3CRET'))",
        "INSERT INTO settings VALUES ('smtp_password', 'S3CRET')",
        "INSERT INTO settings VALUES ('a', 'b'), ('smtp_password', 'S3CRET')",
        "INSERT INTO settings (name, value) VALUES ('smtp_password', 'S3CRET')",
        "INSERT INTO secrets VALUES ('name', 'S3CRET')",
        "INSERT INTO app_secrets (name, value) VALUES ('name', 'S3CRET')",
        "INSERT INTO c VALUES ('{\"password\": \"S3CRET\", \"user\": \"a\"}')",
        "INSERT INTO c VALUES ('{\"db\":{\"password\":\"S3CRET\"}}'::jsonb)",
        "INSERT INTO c VALUES ('password: S3CRET\nuser: a')",
        "INSERT INTO c VALUES ('<a><password>S3CRET</password></a>')",
        "INSERT INTO c VALUES ('-----BEGIN PRIVATE KEY-----S3CRET-----END PRIVATE KEY-----')",
        "UPDATE users SET password = 'S3CRET' WHERE name = 'a'",
        "UPDATE users SET (name, password) = ('a', 'S3CRET')",
        "UPDATE users SET password = upper('S3' || 'CRET S3CRET')",
        "UPDATE c SET data = jsonb_set(data, '{password}', '\"S3CRET\"')",
        "UPDATE c SET data = data || jsonb_build_object('api_key', 'S3CRET')",
        "SELECT * FROM c WHERE data ->> 'password' = 'S3CRET'",
        "SELECT * FROM u WHERE u.password::text = 'S3CRET'",
        "WITH x (name, password) AS (VALUES ('a', 'S3CRET')) SELECT 1",
        "SELECT * FROM (VALUES ('a', 'S3CRET')) AS t (name, password)",
        "SELECT set_password(\"user\" => 'a', new_password => 'S3CRET')",
        "CREATE TABLE u (api_key text DEFAULT 'S3CRET')",
        "CREATE FUNCTION f(password text DEFAULT 'S3CRET') RETURNS void LANGUAGE sql AS ''",
        "SELECT 'password=>S3CRET'::hstore",
        "SELECT hstore('password', 'S3CRET')",
    ] {
        hides(it);
    }
}

#[test]
fn keeps_what_hides_nothing() {
    for it in [
        "ALTER ROLE a PASSWORD NULL",
        "CREATE TABLE users (password text, note text DEFAULT 'password')",
        "CREATE TABLE users (password text NOT NULL CHECK (length(password) > 8), kind text DEFAULT 'x')",
        "CREATE TABLE tokens (kind text DEFAULT 'generic', token_type text DEFAULT 'bearer')",
        "CREATE TYPE way AS ENUM ('password', 'oauth', 'token')",
        "ALTER TYPE way ADD VALUE 'secret' AFTER 'password'",
        "SELECT * FROM u WHERE way IN ('password', 'oauth')",
        "COMMENT ON COLUMN users.password IS 'a bcrypt hash'",
        "SET password_encryption = 'scram-sha-256'",
        "INSERT INTO links VALUES ('https://example.com/@a')",
        "INSERT INTO links VALUES ('https://example.com:8080/x?mail=a@b')",
        "INSERT INTO users (name, email) VALUES ('password', 'a@b')",
        "INSERT INTO texts VALUES ('reset', 'Your password must be changed: see the mail')",
        "CREATE INDEX ON users (password)",
        "ALTER TABLE users ADD PRIMARY KEY (id), DROP COLUMN secret",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.password = crypt(NEW.password, gen_salt('bf')); RETURN NEW; END$$",
        "DO $$BEGIN RAISE EXCEPTION 'wrong password'; END$$",
        "DO $$BEGIN IF x THEN RAISE EXCEPTION 'no password for %', name; END IF; PERFORM f('a'); END$$",
        "SELECT md5(random()::text)",
        "CREATE ROLE a LOGIN; SELECT 'x'",
        "GRANT SELECT (password) ON users TO a",
        "SELECT bypass, 'x' FROM t WHERE compass = 'north'",
        "CREATE POLICY p ON t USING (token = current_setting('app.token'))",
    ] {
        keeps(it);
    }
}

#[test]
fn hides_what_a_server_quotes() {
    let check = |text: &str| {
        let shown = redact_message(text);
        assert!(!shown.contains("S3CRET"), "{text}\n{shown}");
    };
    check(
        "SQL statement \"ALTER ROLE nobody PASSWORD 'S3CRET'\"\nPL/pgSQL function x line 1 at EXECUTE",
    );
    check("SQL statement \"ALTER ROLE \"nobody\" PASSWORD 'S3CRET'\"");
    check("SQL statement \"SELECT dblink_connect('host=h password=S3CRET')\"");
    check("can't do it: SQL statement \"ALTER ROLE nobody PASSWORD 'S3CRET'\"");
    check("SQL function \"f\" statement 1: SELECT crypt('S3CRET', 'x')");
    check("Key (name, password)=(a, S3CRET) already exists.");
    check("Key (lower(api_key))=(S3CRET) is duplicated.");
    check("COPY users, line 1, column password: \"S3\"CRET S3CRET\"");
    check("could not connect: postgres://a:S3CRET@h/d");
    check("password=S3CRET");
    for kept in [
        "role \"password\" does not exist",
        "column \"token\" of relation \"t\" already exists",
        "syntax error at or near \"PASSWORD\"",
        "null value in column \"password\" of relation \"users\" violates not-null constraint",
        "Key (id)=(1) already exists.",
        "password authentication failed for user \"a\"",
    ] {
        assert_eq!(redact_message(kept), kept);
    }
}

#[test]
fn a_key_constraint_is_no_reason_to_look_for_secrets() {
    for it in ["id int PRIMARY KEY", "foreign\n key (a) references t", "a int primary  key,"] {
        assert!(!upfront_redact::may_contain_secret(it), "{it}");
    }
    for it in ["primary_key 'x'", "PRIMARY KEYS", "primary key_id", "KEY", "PRIMARY KEY, api_key"] {
        assert!(upfront_redact::may_contain_secret(it), "{it}");
    }
}

proptest! {
    #[test]
    fn never_fails(text in "(PASSWORD|password=|'|''|\\$\\$|\"|\\(|\\)|%L|,|VALUES|=|:|\\|\\||E'|\\\\|/\\*|--|\n|é| |a|://|@|;|DO|crypt|INSERT INTO t|<|>){0,30}") {
        for it in [secrets(&text), secrets(&format!("DO $x${text}$x$"))] {
            prop_assert!(it.windows(2).all(|it| it[0].end <= it[1].start));
        }
        let _ = redact(&text);
        let _ = redact_message(&text);
    }

    #[test]
    fn hides_whatever_the_password_is(password in "[a-zA-Z0-9 '$%@:/?#&=;,.-]{4,20}") {
        prop_assume!(!password.trim().is_empty() && password.chars().any(char::is_alphabetic));
        prop_assume!(!password.contains("$b$"));
        prop_assume!(!["%", "null"].iter().any(|it| password.starts_with(it)));
        let literal = password.replace('\'', "''");
        let sql = format!("ALTER ROLE a PASSWORD '{literal}' LOGIN");
        prop_assert_eq!(redact(&sql), "ALTER ROLE a PASSWORD '***' LOGIN");
        let sql = format!("DO $b$BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', '{literal}'); END$b$");
        prop_assert_eq!(
            redact(&sql),
            "DO $b$BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', '***'); END$b$"
        );
    }
}
