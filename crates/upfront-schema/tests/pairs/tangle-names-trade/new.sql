create table x (i int primary key); create view a as select * from x;
create table b (i int); create index c on b (i);
create sequence d;
create type e as enum ('q');
create table old (a text, c text);
comment on column old.c is 'b';
grant select (c), insert (a) on old to upfront_reader;
create index old_b on old (c);
