//! A database like Supabase's, migrated by its role `postgres`, which is no superuser.

use upfront_scratch::{PoolMode, Pooler, Server};

use crate::place::{Place, shows};

const SETTINGS: &str = "[env.dev]\nurl = \"${DATABASE_URL}\"\n\n[desired]\nsql = \"schema.sql\"\n\n\
                        [scratch]\npreset = \"supabase\"\n";

const FIRST: &str = "\
create extension if not exists \"uuid-ossp\" with schema extensions;
create extension if not exists pg_trgm with schema extensions;
create table public.profiles (
  id uuid primary key references auth.users on delete cascade,
  handle text,
  token uuid not null default extensions.uuid_generate_v4()
);
alter table public.profiles enable row level security;
create policy own on public.profiles to authenticated using ((select auth.uid()) = id);
create function public.handle_new_user() returns trigger language plpgsql security definer
  set search_path = '' as $$
begin
  insert into public.profiles (id) values (new.id);
  return new;
end $$;
revoke execute on function public.handle_new_user() from public, anon;
create trigger on_auth_user_created after insert on auth.users
  for each row execute function public.handle_new_user();
alter publication supabase_realtime add table public.profiles;
create index on public.profiles using gin (handle extensions.gin_trgm_ops);
create schema private;
create table private.jobs (id bigint generated always as identity primary key);
grant usage on schema private to authenticated;
";

const FIRST_DOWN: &str = "\
drop table private.jobs;
drop schema private;
alter publication supabase_realtime drop table public.profiles;
drop function public.handle_new_user() cascade;
drop table public.profiles;
drop extension pg_trgm;
";

const SECOND: &str = "\
create table public.notes (id bigint primary key, owner uuid not null references auth.users);
";

/// A server whose superuser is another role, and whose `postgres` may create databases and roles.
fn server() -> Server {
    let server = Server::builder().listen_tcp().setting("wal_level", "logical").start().unwrap();
    server.psql("postgres", "create role supabase_admin superuser login").unwrap();
    let admin = server.url("postgres").replace("//postgres@", "//supabase_admin@");
    let run = |sql: &str| {
        let mut psql = server.bin("psql");
        psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &admin, "-c", sql]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run("alter role postgres rename to bootstrap");
    run("create role postgres login createdb createrole replication bypassrls");
    run(include_str!("server.sql"));
    run("alter database postgres owner to postgres");
    run("alter database postgres set search_path to \"$user\", public, extensions");
    server
}

fn place(server: &Server, files: &[(&str, &str)]) -> Place {
    let url = server.tcp_url("postgres").unwrap();
    let it = Place::with(files).variable("DATABASE_URL", &url).variable("PATH", "/usr/bin:/bin");
    assert!(it.run("hash").starts_with("exit code 0"));
    it
}

fn succeeds(it: &Place, arguments: &str) -> String {
    let shown = it.run(arguments);
    assert!(shown.starts_with("exit code 0"), "{arguments}: {shown}");
    shown
}

#[test]
fn a_database_of_supabase_is_migrated_and_checked() {
    let server = server();
    let schema = format!("{FIRST}{SECOND}");
    let files = [
        ("upfront.toml", SETTINGS),
        ("schema.sql", &schema),
        ("migrations/1_profiles.sql", FIRST),
        ("migrations/down/1_profiles.sql", FIRST_DOWN),
        ("migrations/2_notes.sql", SECOND),
        ("migrations/down/2_notes.sql", "drop table public.notes;\n"),
    ];
    let it = place(&server, &files);
    let pooler = Pooler::start(&server, PoolMode::Transaction, 2).unwrap();
    let through = format!("--url {}", pooler.tcp_url("postgres"));
    succeeds(&it, &format!("up {through}"));
    succeeds(&it, &format!("down {through}"));
    succeeds(&it, "up");
    succeeds(&it, &format!("check {through}"));
    shows!("supabase_without_drift", it.run("check --schema"));
    shows!("supabase_without_a_difference", it.run("gen --check"));
    shows!("supabase_verified", it.run("verify"));
    let url = server.tcp_url("postgres").unwrap();
    shows!("supabase_in_diff", it.run(&format!("diff --from {url} --to migrations")));
    // What is attached to tables of the service is the user's.
    it.write(
        "schema.sql",
        &format!(
            "{schema}alter table public.profiles add column title text;\n\
             create policy upload on storage.objects for insert to authenticated\n  \
             with check ((storage.foldername(name))[1] = auth.uid()::text);\n"
        ),
    );
    shows!("supabase_in_gen", it.run("gen title --dry-run"));
    server.psql("postgres", "drop trigger on_auth_user_created on auth.users").unwrap_err();
    server
        .psql(
            "postgres",
            "alter table profiles add drifted int; revoke select on profiles from anon; alter \
             publication supabase_realtime drop table profiles",
        )
        .unwrap();
    shows!("supabase_with_drift", it.run("check --schema"));
}

#[test]
fn a_baseline_keeps_to_the_scope() {
    let server = server();
    let table = "create table public.a (id int);\n";
    server.psql("postgres", table).unwrap();
    server.psql("postgres", "create schema private; create table private.b (id int)").unwrap();
    let files = [("upfront.toml", SETTINGS), ("schema.sql", table), ("migrations/1_a.sql", table)];
    let it = place(&server, &files);
    shows!("supabase_baseline_with_more", it.run("baseline 1"));
    it.write(
        "upfront.toml",
        &SETTINGS.replace("[scratch]", "exclude = [\"schema private\"]\n\n[scratch]"),
    );
    succeeds(&it, "baseline 1");
    succeeds(&it, "check --schema");
}

#[test]
fn schemas_without_rights_do_not_matter_where_they_do_not_count() {
    let server = Server::builder().listen_tcp().start().unwrap();
    let sql = "create role app login createdb; create database live owner app";
    for it in sql.split(';') {
        server.psql("postgres", it).unwrap();
    }
    let closed = "create schema closed; create table closed.t (id int); create extension hstore schema closed;
                  create schema open; grant usage on schema open to app; create table open.base (id int primary key);
                  grant all on open.base to app; grant create on schema public to app;
                  create event trigger closed on ddl_command_end when tag in ('CREATE SEQUENCE') execute function closed.e()";
    let event = "create schema if not exists closed; create function closed.e() returns event_trigger language plpgsql as 'begin end'";
    server.psql("live", event).unwrap();
    server.psql("live", &closed.replace("create schema closed;", "")).unwrap();
    let url = server.tcp_url("live").unwrap().replace("//postgres@", "//app@");
    let files = [
        (
            "upfront.toml",
            "[desired]\nschemas = [\"public\"]\nexclude = [\"event trigger closed\"]\n[scratch]\nsetup = [\"scratch.sql\"]\n",
        ),
        ("scratch.sql", "create schema open;\ncreate table open.base (id int primary key);\n"),
        ("migrations/1_a.sql", "create table a (id int references open.base);\n"),
    ];
    let it = Place::with(&files).variable("DATABASE_URL", &url);
    succeeds(&it, "hash");
    succeeds(&it, "up");
    shows!("schemas_without_rights", it.run("check --schema"));
    it.write(
        "upfront.toml",
        "[desired]\nexclude = [\"event trigger closed\"]\n[scratch]\nsetup = [\"scratch.sql\"]\n",
    );
    shows!("schemas_without_rights_that_count", it.run("check --schema"));
}

#[test]
fn says_what_the_setup_may_lack() {
    let it = Place::with(&[
        ("upfront.toml", "[desired]\nsql = \"schema.sql\"\n"),
        ("schema.sql", "create table a (id uuid references auth.users);\n"),
        ("migrations/1_a.sql", "create table a (id uuid references auth.users);\n"),
    ]);
    succeeds(&it, "hash");
    shows!("a_replay_that_misses_a_schema", it.run("verify"));
    it.write("upfront.toml", "[scratch]\nsetup = [\"scratch.sql\"]\n");
    it.write("scratch.sql", "create schema auth;\ncreate table auth.users (i nothing);\n");
    shows!("a_setup_that_fails", it.run("verify"));
    it.write("upfront.toml", "[scratch]\npreset = \"oracle\"\n");
    shows!("a_preset_that_is_not_there", it.run("verify"));
    it.write("upfront.toml", "[scratch]\nsetup = \"gone.sql\"\n");
    shows!("a_setup_that_is_not_there", it.run("verify"));
}

#[test]
fn an_excluded_extension_is_skipped_where_it_is_missing() {
    let it = Place::with(&[
        (
            "upfront.toml",
            "[desired]\nsql = \"schema.sql\"\nexclude = [\"extension not_there\"]\n\n[scratch]\nsetup = \
             \"scratch.sql\"\n",
        ),
        ("scratch.sql", "create function next_key() returns int language sql as 'select 1';\n"),
        (
            "schema.sql",
            "create extension not_there;\ncreate table a (id int default next_key());\n",
        ),
        (
            "migrations/1_a.sql",
            "create extension not_there;\ncreate table a (id int default next_key());\n",
        ),
        ("migrations/down/1_a.sql", "drop table a;\ndrop extension not_there;\n"),
    ]);
    succeeds(&it, "hash");
    let shown = succeeds(&it, "verify");
    assert!(shown.contains("not created on the scratch server: extension not_there"), "{shown}");
    assert!(succeeds(&it, "gen --check").contains("nothing to do"));
    it.write("schema.sql", "create table a (id int default next_key(), n int);\n");
    assert!(succeeds(&it, "gen n").contains("proven: up, down and up again"));
}

#[test]
fn every_preset_works() {
    let server = Server::builder().listen_tcp().start().unwrap();
    for name in ["supabase", "neon", "rds", "cloudsql"] {
        let it = Place::with(&[
            ("upfront.toml", &format!("[scratch]\npreset = \"{name}\"\n")),
            (
                "migrations/1_a.sql",
                "create extension if not exists pg_cron;\ncreate table a (id int);\n",
            ),
            ("migrations/down/1_a.sql", "drop table a;\ndrop extension if exists pg_cron;\n"),
        ])
        .variable("UPFRONT_SCRATCH_URL", &server.tcp_url("postgres").unwrap());
        succeeds(&it, "hash");
        let shown = succeeds(&it, "verify");
        assert!(shown.contains("not created on the scratch server: extension pg_cron"), "{shown}");
        // Nothing of it is left on a server that is not ours.
        let left = "select count(*) from pg_roles where rolname !~ '^pg_' union all
            select count(*) from pg_database";
        assert_eq!(server.psql("postgres", left).unwrap(), "1\n3\n", "{name}");
    }
}
