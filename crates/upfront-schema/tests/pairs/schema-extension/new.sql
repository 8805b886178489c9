create schema "New One";
create extension citext with schema "New One";
create table "New One".t (name "New One".citext unique);
