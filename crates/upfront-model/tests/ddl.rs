//! Models and the SQL that is printed for them, which PostgreSQL takes, and of which it makes what it
//! makes of SQL written by hand.

#![allow(dead_code)]
// The lint takes a word that two indexes contain for a duplicate.
#![allow(clippy::duplicated_attributes)]

use std::time::SystemTime;

use upfront_model::{Models, PgEnum, SqlType, Table, Type};
use upfront_scratch::{DiffFilter, Server};

/// The SQL of the models has that snapshot, and PostgreSQL makes of it what it makes of `by_hand`.
fn check(name: &str, models: &Models, by_hand: &str) {
    let ddl = models.ddl().expect("the models have names of their own");
    insta::assert_snapshot!(name, ddl);
    let server = Server::shared().expect("there is a server");
    let of = |sql: &str| {
        let database = server.database().expect("there is room for a database");
        database.execute(sql).expect("PostgreSQL takes it");
        database
    };
    let (theirs, ours) = (of(by_hand), of(&ddl.to_string()));
    let difference =
        theirs.difference(&ours.url(), &DiffFilter::default()).expect("both are dumped");
    assert_eq!(difference, None, "with `+` what the models have");
}

mod types {
    use super::*;

    struct Email(String);

    impl SqlType for Email {
        const TYPE: Type = Type::sql("character varying(254)");
    }

    struct Unknown;

    #[derive(Table)]
    #[table(name = "types", unlogged, with = "fillfactor = 70")]
    struct Types {
        #[col(primary_key, identity)]
        id: i64,
        yes: bool,
        small: i16,
        medium: Option<i32>,
        single: f32,
        double: f64,
        text: String,
        text_ref: Option<&'static str>,
        bytes: Vec<u8>,
        tags: Vec<String>,
        grid: Option<Vec<Vec<i32>>>,
        email: Email,
        #[col(type = "numeric(12, 2)", default = "0")]
        price: Unknown,
        #[col(type = "interval")]
        wait: Option<Unknown>,
        address: std::net::IpAddr,
        #[col(default = "now() at time zone 'utc'", type = "timestamp")]
        made_at: SystemTime,
        #[col(generated = "text || email")]
        both: String,
        #[col(collate = "C")]
        code: String,
        #[col(skip)]
        elsewhere: Unknown,
    }

    #[test]
    fn are_those_of_postgresql() {
        check(
            "types",
            &Models::new().table::<Types>(),
            r#"
            create unlogged table types (
                id bigint primary key generated always as identity,
                yes boolean not null,
                small smallint not null,
                medium integer,
                single real not null,
                double double precision not null,
                text text not null,
                text_ref text,
                bytes bytea not null,
                tags text[] not null,
                grid integer[],
                email varchar(254) not null,
                price numeric(12, 2) not null default 0,
                wait interval,
                address inet not null,
                made_at timestamp not null default (now() at time zone 'utc'),
                "both" text not null generated always as (text || email) stored,
                code text collate "C" not null
            ) with (fillfactor = 70)"#,
        );
    }

    #[cfg(all(
        feature = "chrono",
        feature = "jiff",
        feature = "rust_decimal",
        feature = "serde_json",
        feature = "time",
        feature = "uuid"
    ))]
    mod of_crates {
        use super::*;

        #[derive(Table)]
        #[table(name = "of_crates")]
        struct OfCrates {
            #[col(primary_key, default = "gen_random_uuid()")]
            id: uuid::Uuid,
            chrono: chrono::DateTime<chrono::Utc>,
            chrono_date: Option<chrono::NaiveDate>,
            time: time::OffsetDateTime,
            time_plain: time::PrimitiveDateTime,
            jiff: jiff::Timestamp,
            jiff_time: jiff::civil::Time,
            amount: rust_decimal::Decimal,
            data: serde_json::Value,
        }

        #[test]
        fn are_those_of_postgresql() {
            check(
                "types_of_crates",
                &Models::new().table::<OfCrates>(),
                "create table of_crates (
                    id uuid primary key default gen_random_uuid(),
                    chrono timestamptz not null,
                    chrono_date date,
                    time timestamptz not null,
                    time_plain timestamp not null,
                    jiff timestamptz not null,
                    jiff_time time not null,
                    amount numeric not null,
                    data jsonb not null
                )",
            );
        }
    }
}

mod objects {
    use super::*;

    #[derive(PgEnum)]
    #[pg_enum(schema = "app", rename_all = "snake_case", comment = "How far a post is.")]
    enum Status {
        Draft,
        InReview,
        #[pg_enum(name = "it's live")]
        Live,
    }

    /// Who writes.
    #[derive(Table)]
    #[table(schema = "app", name = "users", comments)]
    #[table(unique(last_name, first_name, include(email), deferrable))]
    #[table(check("age >= 18"), check("length(email) > length(first_name)", name = "long"))]
    #[table(index(lower(email), unique, where = "age IS NOT NULL", name = "by_email"))]
    #[table(index(last_name desc nulls last, coalesce(nick, first_name) collate "C", include(age)))]
    #[table(index("data -> 'kind'" jsonb_path_ops, using = gin, with = "fastupdate = off"))]
    #[table(index(last_name text_pattern_ops))]
    struct User {
        #[col(primary_key, identity(by_default, start = 1000, increment = -5, min = -9, max = 1000, cycle))]
        id: i32,
        #[col(unique)]
        email: String,
        first_name: String,
        last_name: String,
        /// It's optional.
        nick: Option<String>,
        #[col(check = "age < 200", index)]
        age: Option<i16>,
        #[col(type = "jsonb", index(using = gin, opclass = jsonb_path_ops))]
        data: String,
        #[col(references(Self.id, on_delete = set_null), index(desc, nulls last, unique))]
        boss: Option<i32>,
    }

    #[derive(Table)]
    #[table(schema = "app", name = "posts", comment = "What is read.", rls(force))]
    #[table(primary_key(author, number))]
    #[table(foreign_key(category, of_category, references(Category.id, Category.owner),
        name = "category_fk", match_full, on_delete = set_default, initially_deferred))]
    #[table(exclude(gist: "during WITH &&", where = "status <> 'draft'"))]
    #[table(policy(name = "own", for = select, to = "CURRENT_USER", using = "author = 1"))]
    #[table(policy(name = "all of it", restrictive, using = "true", with_check = "number > 0"))]
    #[table(raw = "CREATE VIEW app.live AS SELECT author FROM app.posts;")]
    #[table(raw_before = "CREATE FUNCTION app.one() RETURNS int LANGUAGE sql RETURN 1")]
    struct Post {
        #[col(references(User.id, on_delete = cascade, on_update = no_action, deferrable), index)]
        author: i32,
        #[col(default = "app.one()")]
        number: i32,
        #[col(default = "'draft'")]
        status: Status,
        former: Vec<Status>,
        #[col(type = "tstzrange")]
        during: String,
        category: Option<i64>,
        of_category: Option<i32>,
        #[col(comment = "In words.")]
        text: String,
    }

    #[derive(Table)]
    #[table(schema = "app", name = "categories")]
    #[table(unique(id, owner), unique(parent, name = "one_child"))]
    struct Category {
        #[col(primary_key(name = "category_key"))]
        id: i64,
        owner: i32,
        parent: Option<i64>,
        status: Option<Status>,
    }

    #[derive(Table)]
    #[table(name = "events", primary_key(id, at), partition_by = "RANGE (at)")]
    #[table(
        raw = "CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2026-01-01')"
    )]
    struct Event {
        id: i64,
        at: SystemTime,
    }

    fn models() -> Models {
        Models::new().table::<Post>().table::<User>().table::<Category>().pg_enum::<Status>()
    }

    #[test]
    fn are_those_of_postgresql() {
        check(
            "objects",
            &models().table::<Event>(),
            r#"
            create schema app;
            create type app.status as enum ('draft', 'in_review', 'it''s live');
            create function app.one() returns int language sql return 1;
            create table app.users (
                id int primary key generated by default as identity
                    (start 1000 increment -5 minvalue -9 maxvalue 1000 cycle),
                email text not null unique,
                first_name text not null,
                last_name text not null,
                nick text,
                age smallint check (age < 200),
                data jsonb not null,
                boss int references app.users on delete set null,
                unique (last_name, first_name) include (email) deferrable,
                check (age >= 18),
                constraint long check (length(email) > length(first_name))
            );
            create table app.categories (
                id bigint constraint category_key primary key,
                owner int not null,
                parent bigint,
                status app.status,
                unique (id, owner),
                constraint one_child unique (parent)
            );
            create table app.posts (
                author int not null references app.users on delete cascade on update no action deferrable,
                number int not null default app.one(),
                status app.status not null default 'draft',
                former app.status[] not null,
                during tstzrange not null,
                category bigint,
                of_category int,
                text text not null,
                primary key (author, number),
                exclude using gist (during with &&) where (status <> 'draft')
            );
            create index on app.users (age);
            create index on app.users using gin (data jsonb_path_ops);
            create unique index on app.users (boss desc nulls last);
            create unique index by_email on app.users (lower(email)) where age is not null;
            create index on app.users (last_name desc nulls last, coalesce(nick, first_name) collate "C")
                include (age);
            create index on app.users using gin ((data -> 'kind') jsonb_path_ops) with (fastupdate = off);
            create index on app.users (last_name text_pattern_ops);
            create index on app.posts (author);
            alter table app.posts add constraint category_fk foreign key (category, of_category)
                references app.categories (id, owner) match full on delete set default
                deferrable initially deferred;
            alter table app.posts enable row level security, force row level security;
            create policy own on app.posts for select to current_user using (author = 1);
            create policy "all of it" on app.posts as restrictive using (true) with check (number > 0);
            create view app.live as select author from app.posts;
            comment on type app.status is 'How far a post is.';
            comment on table app.users is 'Who writes.';
            comment on column app.users.nick is 'It''s optional.';
            comment on table app.posts is 'What is read.';
            comment on column app.posts.text is 'In words.';
            create table events (id bigint, at timestamptz, primary key (id, at)) partition by range (at);
            create table events_old partition of events for values from (minvalue) to ('2026-01-01');
            "#,
        );
    }

    #[test]
    fn come_in_the_same_order_each_time() {
        let other = Models::new().pg_enum::<Status>().table::<Category>().table::<User>();
        let other = other.table::<Post>();
        assert_eq!(models().ddl().unwrap().to_string(), other.ddl().unwrap().to_string());
    }
}

mod cycle {
    use super::*;

    #[derive(Table)]
    struct Club {
        #[col(primary_key)]
        id: i64,
        #[col(references(Member.id))]
        chair: Option<i64>,
    }

    #[derive(Table)]
    struct Member {
        #[col(primary_key, references(Club.id))]
        id: i64,
        #[col(references(super::cycle::Club.id, on_delete = restrict))]
        club: i64,
    }

    #[test]
    fn of_foreign_keys_is_loaded() {
        check(
            "cycle",
            &Models::new().table::<Club>().table::<Member>(),
            "create table club (id bigint primary key, chair bigint);
             create table member (
                id bigint primary key references club,
                club bigint not null references club on delete restrict
             );
             alter table club add foreign key (chair) references member;",
        );
    }
}

mod since_15 {
    use super::*;

    #[derive(Table)]
    #[table(name = "items", no_primary_key)]
    #[table(unique(list, number, nulls_not_distinct), index(name, unique, nulls_not_distinct))]
    #[table(foreign_key(list, number, references(Self.number, Self.list), on_delete = set_null(list)))]
    #[table(unique(number, list))]
    struct Item {
        list: Option<i64>,
        number: Option<i64>,
        name: Option<String>,
    }

    #[test]
    fn is_what_only_newer_servers_know() {
        if Server::shared().unwrap().version().major() < 15 {
            return;
        }
        check(
            "since_15",
            &Models::new().table::<Item>(),
            "create table items (
                list bigint,
                number bigint,
                name text,
                unique nulls not distinct (list, number),
                unique (number, list),
                foreign key (list, number) references items (number, list) on delete set null (list)
             );
             create unique index on items (name) nulls not distinct;",
        );
    }
}

mod unique_index {
    use super::*;

    #[derive(Table)]
    #[table(no_primary_key)]
    struct Country {
        #[col(index(unique))]
        code: String,
    }

    #[derive(Table)]
    #[table(no_primary_key)]
    struct City {
        #[col(references(Country.code))]
        country: String,
    }

    #[test]
    fn is_what_a_foreign_key_may_reference() {
        check(
            "unique_index",
            &Models::new().table::<City>().table::<Country>(),
            "create table country (code text not null);
             create unique index on country (code);
             create table city (country text not null references country (code));",
        );
    }
}

mod names {
    use super::*;

    #[derive(PgEnum)]
    #[pg_enum(name = "Käse \"Sorte\"")]
    enum Cheese {
        #[pg_enum(name = "'")]
        Brie,
    }

    #[derive(Table)]
    #[table(
        schema = "Odd \"schema\"",
        name = "select",
        index(r#unique, r#type, name = "Two Words")
    )]
    #[table(check(name = "a.b", "\"two words\" <> ''"))]
    struct Select {
        #[col(primary_key)]
        r#type: i64,
        unique: i64,
        #[col(name = "two words")]
        two_words: String,
        #[col(name = "Mixed")]
        mixed: String,
        #[col(name = "quo\"te", unique, collate = "POSIX")]
        quote: String,
        #[col(name = "o123456789o123456789o123456789o123456789o123456789o12345678öß", index)]
        long: String,
        cheese: Cheese,
    }

    #[derive(Table)]
    #[table(
        name = "a_table_whose_name_alone_has_nearly_as_many_bytes_as_it_may_hav",
        rename_all = "camelCase"
    )]
    struct Long {
        #[col(primary_key, references(Select.r#type))]
        order: i64,
        #[col(unique, index, check = "\"withALongNameAsWell\" <> ''")]
        with_a_long_name_as_well: String,
    }

    #[test]
    fn are_what_they_say() {
        check(
            "names",
            &Models::new().table::<Select>().table::<Long>().pg_enum::<Cheese>(),
            r#"
            create schema "Odd ""schema""";
            create type "Käse ""Sorte""" as enum ('''');
            create table "Odd ""schema"""."select" (
                "type" bigint primary key,
                "unique" bigint not null,
                "two words" text not null,
                "Mixed" text not null,
                "quo""te" text collate "POSIX" not null unique,
                "o123456789o123456789o123456789o123456789o123456789o12345678öß" text not null,
                cheese "Käse ""Sorte""" not null,
                constraint "a.b" check ("two words" <> '')
            );
            create index on "Odd ""schema"""."select"
                ("o123456789o123456789o123456789o123456789o123456789o12345678öß");
            create index "Two Words" on "Odd ""schema"""."select" ("unique", "type");
            create table a_table_whose_name_alone_has_nearly_as_many_bytes_as_it_may_hav (
                "order" bigint primary key references "Odd ""schema"""."select",
                "withALongNameAsWell" text not null unique check ("withALongNameAsWell" <> '')
            );
            create index on a_table_whose_name_alone_has_nearly_as_many_bytes_as_it_may_hav
                ("withALongNameAsWell");
            "#,
        );
    }
}

mod notes {
    use super::*;

    #[derive(PgEnum)]
    #[pg_enum(renamed_from = "state")]
    enum Phase {
        #[pg_enum(name = "new", renamed_from = "Fresh one")]
        New,
    }

    #[derive(Table)]
    #[table(name = "users", renamed_from = "Accounts")]
    #[table(index(id, name = "by_id", renamed_from = "users_id"))]
    #[table(check("id > 0", name = "positive", renamed_from = "above_zero"))]
    #[table(policy(name = "own", renamed_from = "mine"))]
    struct User {
        #[col(primary_key(name = "users_key", renamed_from = "accounts_pkey"))]
        id: i64,
        #[col(renamed_from = "nick", fill = "lower(email)")]
        handle: String,
        #[col(references(Self.id, name = "boss_fk", renamed_from = "chef_fk"))]
        boss: Option<i64>,
        phase: Phase,
    }

    #[test]
    fn stand_before_what_they_are_about() {
        check(
            "notes",
            &Models::new().table::<User>().pg_enum::<Phase>(),
            r"
            create type phase as enum ('new');
            create table users (
                id bigint constraint users_key primary key,
                handle text not null,
                boss bigint constraint boss_fk references users,
                phase phase not null,
                constraint positive check (id > 0)
            );
            create index by_id on users (id);
            create policy own on users;
            ",
        );
    }
}

mod set {
    use super::*;

    #[derive(Table)]
    struct Keyless {
        text: String,
    }

    #[derive(Table)]
    #[table(name = "keyless")]
    struct Other {
        #[col(primary_key)]
        id: i64,
    }

    #[test]
    fn warns_of_a_table_without_a_primary_key() {
        let models = Models::new().table::<Keyless>();
        let ddl = models.ddl().unwrap();
        insta::assert_snapshot!(
            ddl.warnings().collect::<String>(),
            @r#"table "keyless" has no primary key: mark a field of `ddl::set::Keyless` with `#[col(primary_key)]`, or the struct with `#[table(no_primary_key)]` if it is meant"#
        );
        assert_eq!(Models::new().table::<Other>().ddl().unwrap().warnings().count(), 0);
    }

    #[test]
    fn has_each_name_once() {
        let models = Models::new().table::<Other>().table::<Keyless>();
        insta::assert_snapshot!(
            models.ddl().unwrap_err(),
            @r#"`ddl::set::Keyless` and `ddl::set::Other` are both called "keyless""#
        );
    }

    #[test]
    fn is_not_empty() {
        insta::assert_snapshot!(
            Models::new().ddl().unwrap_err(),
            @"no model is linked into this program: name the crate that has them, as in `use my_service as _;`"
        );
    }
}
