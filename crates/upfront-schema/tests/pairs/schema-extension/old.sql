create schema old_one;
create table old_one.t (i int);
create extension hstore;
