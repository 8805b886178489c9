create table a (i int primary key); create index x on a (i);
create view b as select 1 as one;
create sequence c;
create type d as (z int);
create function e(int) returns int language sql as 'select 1';
create table old (a int, b text);
comment on column old.b is 'b';
grant select (b) on old to upfront_reader;
create index old_b on old (b);
