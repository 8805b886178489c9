create schema "a.b";
create table "a.b"."Table ""1""" ("select" int, "ünï" text, plain int);
