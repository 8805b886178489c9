//! Bodies that attack upfront, and roles that may write something in the database.

use upfront::{__embedded::Embedded, Migrations, Migrator};
use upfront_directory::Directory;

use crate::{
    database::{self, Connection},
    failure::Result,
    lab::Lab,
    migrate,
    point::{Point, Spots, Tried},
};

/// A body that no directory would let pass, or that turns against upfront's tables.
struct Body {
    name: &'static str,
    sql: &'static str,
    /// May the migration count as applied? Otherwise the boot must stop with a named error.
    may_pass: bool,
    /// Does it damage upfront's own tables, so that the next boot stops too, by name?
    damages: bool,
}

const fn refused(name: &'static str, sql: &'static str) -> Body {
    Body { name, sql, may_pass: false, damages: false }
}

const fn harmless(name: &'static str, sql: &'static str) -> Body {
    Body { name, sql, may_pass: true, damages: false }
}

const fn damaging(name: &'static str, sql: &'static str) -> Body {
    Body { name, sql, may_pass: false, damages: true }
}

const BODIES: [Body; 29] = [
    refused("commit", "COMMIT"),
    refused("commit-begin", "COMMIT; BEGIN"),
    refused("commit-chain", "COMMIT AND CHAIN"),
    refused("rollback", "ROLLBACK"),
    refused("rollback-begin", "ROLLBACK; BEGIN"),
    refused("commit-fail", "COMMIT; BEGIN; SELECT 1 / 0"),
    refused("prepare", "PREPARE TRANSACTION 'hostile'"),
    refused("session-authorization", "SET SESSION AUTHORIZATION hostile_other"),
    refused("session-user-rollback", "ROLLBACK; SET SESSION AUTHORIZATION hostile_other; BEGIN"),
    harmless("unlock", "SELECT pg_advisory_unlock_all()"),
    refused("discard", "DISCARD ALL"),
    harmless("discard-temp", "DISCARD TEMP"),
    harmless("role", "SET ROLE hostile_other"),
    harmless("local-role", "SET LOCAL ROLE pg_monitor"),
    harmless("path", "SET search_path = nowhere"),
    harmless("listen", "LISTEN hostile; NOTIFY hostile"),
    harmless("cursor", "DECLARE hostile CURSOR WITH HOLD FOR SELECT 1"),
    harmless("prepared", "PREPARE hostile AS SELECT 1"),
    harmless("temporary", "CREATE TEMP TABLE revisions (app text); CREATE TEMP TABLE log (id int)"),
    harmless("read-only", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
    harmless("timeouts", "SET statement_timeout = 1; SET statement_timeout = 0"),
    refused("transaction-read-only", "SET TRANSACTION READ ONLY"),
    harmless(
        "shadow",
        "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT 1 / 0, NULL'",
    ),
    harmless(
        "shadow-function",
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN \
         RAISE 'shadowed'; END $$; CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE \
         plpgsql AS $$ BEGIN RAISE 'shadowed'; END $$; SET search_path = public, pg_catalog",
    ),
    damaging("drop-revisions", "DROP TABLE upfront.revisions"),
    damaging("drop-log", "DROP TABLE upfront.log"),
    damaging("rename-schema", "ALTER SCHEMA upfront RENAME TO hostile"),
    damaging(
        "trigger",
        "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; \
         END $$; CREATE TRIGGER swallow BEFORE INSERT ON upfront.revisions FOR EACH ROW EXECUTE \
         FUNCTION public.swallow()",
    ),
    damaging("rule", "CREATE RULE swallow AS ON INSERT TO upfront.revisions DO INSTEAD NOTHING"),
];

/// What a role prepares that may create, insert or trigger: a name, the rights that it has, and its
/// SQL, with `TRAP` for a body that makes the role a superuser if a superuser runs it.
const ATTACKS: [(&str, &str, &str); 9] = [
    (
        "squat-tables",
        "GRANT CREATE ON DATABASE DATABASE TO ROLE",
        "CREATE SCHEMA upfront; GRANT USAGE ON SCHEMA upfront TO public; CREATE TABLE \
         upfront.revisions (app text, version text COLLATE \"C\", name text, breaking boolean, \
         fingerprint bit(256)); CREATE TABLE upfront.steps (app text); CREATE TABLE upfront.targets \
         (app text, schema name, namespace oid, database oid, history oid); GRANT ALL ON ALL TABLES \
         IN SCHEMA upfront TO public",
    ),
    (
        "squat-view",
        "GRANT CREATE ON DATABASE DATABASE TO ROLE",
        "CREATE SCHEMA upfront; GRANT USAGE ON SCHEMA upfront TO public; CREATE FUNCTION \
         upfront.trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN TRAP RETURN '1'; END $$; CREATE \
         VIEW upfront.revisions AS SELECT 'main'::text AS app, upfront.trap() COLLATE \"C\" AS \
         version, upfront.trap() AS name, false AS breaking, repeat('0', 256)::bit(256) AS \
         fingerprint; GRANT ALL ON ALL TABLES IN SCHEMA upfront TO public",
    ),
    (
        "squat-policy",
        "GRANT CREATE ON DATABASE DATABASE TO ROLE",
        "CREATE SCHEMA upfront; GRANT USAGE ON SCHEMA upfront TO public; CREATE FUNCTION \
         upfront.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN TRAP RETURN true; END $$; CREATE \
         TABLE upfront.revisions (app text, version text COLLATE \"C\", name text, breaking boolean, \
         fingerprint bit(256)); ALTER TABLE upfront.revisions ENABLE ROW LEVEL SECURITY; ALTER TABLE \
         upfront.revisions FORCE ROW LEVEL SECURITY; CREATE POLICY trap ON upfront.revisions USING \
         (upfront.trap()); GRANT ALL ON ALL TABLES IN SCHEMA upfront TO public",
    ),
    (
        "squat-schema",
        "GRANT CREATE ON DATABASE DATABASE TO ROLE",
        "CREATE SCHEMA upfront; GRANT ALL ON SCHEMA upfront TO public",
    ),
    (
        "shadow-function",
        "GRANT CREATE ON SCHEMA public TO ROLE",
        "CREATE FUNCTION public.pg_try_advisory_xact_lock(int) RETURNS boolean LANGUAGE plpgsql AS $$ \
         BEGIN TRAP RETURN true; END $$; CREATE FUNCTION public.set_config(varchar, varchar, boolean) \
         RETURNS text LANGUAGE plpgsql AS $$ BEGIN TRAP RETURN ''; END $$",
    ),
    (
        "shadow-operator",
        "GRANT CREATE ON SCHEMA public TO ROLE",
        "CREATE FUNCTION public.same(text, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN TRAP \
         RETURN true; END $$; CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = varchar, FUNCTION \
         = public.same)",
    ),
    (
        "trigger",
        "GRANT CREATE ON SCHEMA public TO ROLE; GRANT USAGE ON SCHEMA upfront TO ROLE; GRANT ALL ON \
         ALL TABLES IN SCHEMA upfront TO ROLE",
        "CREATE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN TRAP RETURN NEW; \
         END $$; CREATE TRIGGER trap BEFORE INSERT ON upfront.revisions FOR EACH ROW EXECUTE \
         FUNCTION public.trap()",
    ),
    (
        "forged-row",
        "GRANT USAGE ON SCHEMA upfront TO ROLE; GRANT ALL ON ALL TABLES IN SCHEMA upfront TO ROLE",
        "INSERT INTO upfront.revisions (app, version, name, hash, chain) VALUES ('main', '2', 'b', \
         repeat('a', 64), repeat('a', 64))",
    ),
    (
        "forged-journal",
        "GRANT USAGE ON SCHEMA upfront TO ROLE; GRANT ALL ON ALL TABLES IN SCHEMA upfront TO ROLE",
        "INSERT INTO upfront.steps (app, version, direction, ordinal, hash, finished) VALUES ('main', \
         '2', 'up', 1, repeat('a', 64), now())",
    ),
];

/// Each body, and each attack.
pub(crate) fn spots() -> Spots {
    let bodies = BODIES.iter().map(|it| ("body".to_owned(), it.name.to_owned()));
    let attacks = ATTACKS.iter().map(|it| ("role".to_owned(), it.0.to_owned()));
    bodies.chain(attacks).collect()
}

/// One of them, in a database of its own.
pub(crate) async fn attack(lab: &Lab, point: &Point) -> Result<Tried> {
    let arena = lab.shared().await?;
    let database = arena.empty().await?;
    let url = arena.url(&database);
    let tried = match point.scenario.as_str() {
        "body" => body(&url, &point.spot).await,
        "role" => role(&url, &database, &point.spot).await,
        it => Err(format!("`{it}` is neither `body` nor `role`").into()),
    };
    database::remove(arena.maintenance(), &database).await?;
    tried.map(|()| Tried::held())
}

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id bigint);\n");

fn directory(files: &[(&str, &str)]) -> Directory {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    Directory::from_files("migrations", files).expect("a valid directory")
}

fn plain(files: &[(&str, &str)]) -> Migrations {
    encoded(directory(files).migrations())
}

fn encoded(migrations: &[upfront_directory::Migration]) -> Migrations {
    let text = upfront_directory::encode("migrations", migrations).leak();
    Migrations::from_static(Box::leak(Box::new(Embedded::new(text))))
}

/// The second migration has this body, which no directory has to let pass.
fn with_body(sql: &str) -> Migrations {
    let directory = directory(&[A, ("2_b.sql", "SELECT 1;\n")]);
    let mut migrations = directory.migrations().to_vec();
    let up = &mut migrations[1].up;
    (up.source, up.body) = (sql.into(), sql.into());
    up.statements[0].range = 0..sql.find(';').unwrap_or(sql.len());
    encoded(&migrations)
}

async fn body(url: &str, name: &str) -> Result<()> {
    let known = BODIES.iter().find(|it| it.name == name);
    let body = known.ok_or_else(|| format!("`{name}` is not a hostile body"))?;
    let role = "DO $$ BEGIN CREATE ROLE hostile_other; EXCEPTION WHEN duplicate_object OR \
                unique_violation THEN NULL; END $$";
    database::ask(url, role).await?;
    let migrator = |it| Migrator::new(it, migrate::pool(url));
    migrator(plain(&[A])).up().await?;
    let stopped = migrator(with_body(body.sql)).up().await.err();
    let database = Connection::open(url).await?;
    crate::oracle::nobody_is_left(&database).await?;
    if body.damages {
        let err = stopped.ok_or("damaged tables of upfront went unnoticed")?;
        return named(&err);
    }
    let count = "SELECT count(*) FROM upfront.revisions WHERE app = 'main' AND version = '2'";
    let recorded = database.ask(count).await? == "1";
    match (&stopped, recorded) {
        (None, true) if body.may_pass => return Ok(()),
        (Some(err), false) => named(err)?,
        (err, _) => {
            let err = err.as_ref().map(ToString::to_string);
            return Err(format!("recorded: {recorded}, stopped: {err:?}").into());
        }
    }
    // What the body committed on its own is not upfront's; a corrected file goes through.
    migrator(plain(&[A, B])).up().await?;
    match database.ask("SELECT to_regclass('public.b') IS NOT NULL").await?.as_str() {
        "t" => Ok(()),
        _ => Err("the corrected migration did nothing".into()),
    }
}

/// An error of the library that names what happened.
fn named(err: &upfront::Error) -> Result<()> {
    use upfront::ErrorKind;
    match err.kind() {
        ErrorKind::UnexpectedAnswer => Err(format!("not understood: {err}").into()),
        _ => Ok(()),
    }
}

/// Whatever the role prepares, a superuser boots, and must neither run it nor believe it.
async fn role(url: &str, database: &str, name: &str) -> Result<()> {
    let known = ATTACKS.iter().find(|it| it.0 == name);
    let (_, rights, attack) = known.ok_or_else(|| format!("`{name}` is not an attack"))?;
    let role = format!("mallory_{database}");
    let owner = Connection::open(url).await?;
    owner.ask(&format!("CREATE ROLE {role} LOGIN")).await?;
    let boot = |it| async { Migrator::new(it, migrate::pool(url)).up().await };
    if rights.contains("SCHEMA upfront") {
        boot(plain(&[A])).await?;
    }
    let rights = rights.replace("DATABASE DATABASE", &format!("DATABASE {database}"));
    owner.ask(&rights.replace("ROLE", &role)).await?;
    let mallory = Connection::open(&url.replacen("postgres@", &format!("{role}@"), 1)).await?;
    let trap = format!(
        "IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN ALTER ROLE {role} \
         SUPERUSER; END IF;"
    );
    // The server, or a guard of upfront, may refuse the attack itself.
    let refused = mallory.ask(&attack.replace("TRAP", &trap)).await.err();
    drop(mallory);
    let booted = boot(plain(&[A, B])).await;
    let prize = format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{role}'");
    if owner.ask(&prize).await? != "f" {
        return Err("the role became a superuser".into());
    }
    let tables = owner.ask(TABLES).await?;
    let result = match (&booted, tables.as_str()) {
        (Ok(_), "2") => Ok(()),
        (Err(err), "0" | "1") => named(err),
        (it, tables) => Err(format!("{tables} tables, refused {refused:?}, {it:?}").into()),
    };
    owner.ask(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await?;
    result
}

const TABLES: &str = "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b') AND relkind = 'r' AND \
                      relnamespace = 'public'::regnamespace";
