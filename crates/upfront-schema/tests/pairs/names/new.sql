create schema "a.b";
create table "a.b"."Table ""1""" ("select" bigint primary key, "ünï" text default 'x\y''z', "Order" int check ("Order" > 0));
create index "an index of sixty-three bytes, which is as much as a name can ha" on "a.b"."Table ""1""" ("Order");
create type "Enum Of" as enum ('it''s', 'b"c', 'back\slash');
