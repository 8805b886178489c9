//! What the setup of scratch databases makes is not compared, and what is attached to it is.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use insta::assert_snapshot;
use upfront_schema::{Options, Owners, Scope, Setup, compare, prove};
use upfront_scratch::{Database, Server};

const SETUP: &str = "
create role setup_reader;
create schema auth;
create table auth.users (id uuid primary key, email text);
create function auth.uid() returns uuid language sql stable as $$ select null::uuid $$;
create function auth.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger touch before update on auth.users for each row execute function auth.touch();
create type auth.shell;
create extension hstore schema auth;
create publication realtime;
grant usage on schema public to setup_reader;
alter default privileges in schema public grant select on tables to setup_reader;
";

const USER: &str = "
create table public.profiles (id uuid primary key references auth.users);
alter table profiles enable row level security;
create policy own on profiles using (id = auth.uid());
create function public.handle() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger handle after insert on auth.users for each row execute function handle();
create policy see on auth.users using (id = auth.uid());
comment on policy see on auth.users is 'ours';
alter publication realtime add table profiles;
";

/// What a live database has besides.
const OTHERS: &str = "
alter table auth.users add phone text;
create index on auth.users (email);
create table auth.sessions (id int);
comment on table auth.sessions is 'not ours';
create trigger other before insert on auth.users for each row execute function auth.touch();
grant select on auth.users to setup_reader;
create event trigger e on ddl_command_end execute function auth.event();
";

const EVENT: &str = "create function auth.event() returns event_trigger language plpgsql
  as $$ begin end $$";

fn prepared() -> (Server, Scope) {
    let server = Server::start().unwrap();
    let mut setup = Setup::default();
    let texts = vec![("setup.sql".to_owned(), SETUP.to_owned())];
    server
        .prepare(|it| {
            setup = Setup::run(it, texts)?;
            Ok::<_, upfront_schema::Error>(())
        })
        .unwrap();
    (server, Scope { setup, ..Scope::default() })
}

fn made<'s>(server: &'s Server, sql: &[&str]) -> Database<'s> {
    let database = server.database().unwrap();
    for it in sql {
        database.execute(it).unwrap();
    }
    database
}

fn differences(a: &Database<'_>, b: &Database<'_>, scope: &Scope) -> String {
    let all = compare(a, b, scope).unwrap();
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn compares_what_is_attached_to_it() {
    let (server, mut scope) = prepared();
    let (empty, user) = (server.database().unwrap(), made(&server, &[USER]));
    assert_snapshot!(differences(&empty, &user, &scope));
    // Both ways work.
    let options = Options { scope: scope.clone(), ..Options::default() };
    let proof = prove(&empty, &user, &options).unwrap();
    assert_snapshot!(proof.up.to_string());
    // A service may have more than its stand-in.
    scope.setup = scope.setup.with_schemas(vec!["schema auth".parse().unwrap()]);
    let live = made(&server, &[USER, EVENT, OTHERS]);
    assert_eq!(differences(&user, &live, &scope), "");
}

#[test]
fn grants_of_the_setup_are_not_compared_with_a_live_database() {
    let (server, scope) = prepared();
    let empty = server.database().unwrap();
    let scope = Scope { owners: Owners::LeftOut, ..scope };
    let check = |sql: &str| differences(&empty, &made(&server, &[sql]), &scope);
    let revoked = "revoke usage on schema public from setup_reader; alter default privileges in \
                   schema public revoke select on tables from setup_reader";
    assert_eq!(check(revoked), "");
    let by_another = "create role setup_admin; alter default privileges for role setup_admin in schema \
                      public grant select on tables to setup_reader";
    assert_eq!(check(by_another), "");
    let granted = "create role setup_writer; grant usage on schema public to setup_writer; alter \
                   default privileges in schema public grant insert on tables to setup_writer";
    assert_snapshot!(check(granted));
    let both = made(&server, &["grant usage on schema public to setup_writer"]);
    let options = Options { scope, ..Options::default() };
    assert_snapshot!(prove(&empty, &both, &options).unwrap().up.to_string());
}

#[test]
fn each_database_has_its_settings() {
    let server = Server::start().unwrap();
    let sql = "create role app; create schema extensions;
        do $$ begin execute format('alter database %I set search_path to \"$user\", extensions', current_database()); end $$;
        alter database postgres set app.settings.key to 'it''s';
        do $$ begin execute format('alter role app in database %I set work_mem to ''5MB''', current_database()); end $$";
    let setup = |it: &Database<'_>| Setup::run(it, vec![("s.sql".to_owned(), sql.to_owned())]);
    server.prepare(|it| setup(it).map(drop)).unwrap();
    let copy = server.database().unwrap().copy().unwrap();
    let shown = copy.psql("show search_path; show app.settings.key").unwrap();
    assert_eq!(shown, "\"$user\", extensions\nit's\n");
    let role =
        "select setconfig from pg_db_role_setting s join pg_database d on d.oid = setdatabase
        where setrole <> 0 and datname = current_database()";
    assert_eq!(copy.psql(role).unwrap(), "{work_mem=5MB}\n");
}

#[test]
fn says_where_a_setup_fails() {
    let server = Server::start().unwrap();
    let database = server.database().unwrap();
    let check = |sql: &str| {
        Setup::run(&database, vec![("s.sql".to_owned(), sql.to_owned())]).unwrap_err().to_string()
    };
    assert_snapshot!(check("create table a ();\ncreate table b (i nothing);\n"));
    assert_snapshot!(check("create extension if not exists pg_nothing;\n"));
}

#[test]
fn new_objects_have_the_default_privileges_of_the_setup() {
    let (server, scope) = prepared();
    let empty = server.database().unwrap();
    let scope = Scope { owners: Owners::LeftOut, ..scope };
    let made = made(
        &server,
        &["create table one (); create table two (); revoke select on two from setup_reader"],
    );
    let options = Options { scope, ..Options::default() };
    assert_snapshot!(prove(&empty, &made, &options).unwrap().up.to_string());
}

#[test]
fn grants_on_members_of_extensions_are_compared() {
    let server = Server::start().unwrap();
    let extension = "create schema x; create extension pg_stat_statements schema x; create extension \
                     hstore schema x";
    let (one, two) = (made(&server, &[extension]), made(&server, &[extension]));
    let scope = Scope::default();
    assert_eq!(differences(&one, &two, &scope), "");
    two.execute(
        "create role stats; grant select on x.pg_stat_statements to stats;
         revoke execute on function x.akeys(x.hstore) from public;
         revoke usage on type x.hstore from public; grant usage on type x.hstore to stats;
         comment on function x.akeys(x.hstore) is 'not compared'",
    )
    .unwrap();
    assert_snapshot!(differences(&one, &two, &scope));
    let options = Options { scope, ..Options::default() };
    assert_snapshot!(prove(&one, &two, &options).unwrap().up.to_string());
    let empty = server.database().unwrap();
    prove(&empty, &two, &options).unwrap();
}
