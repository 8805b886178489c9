create table t (a int, b int);
create function f() returns int language sql as 'select 1';
revoke execute on function f from public;
grant select, insert on t to upfront_reader with grant option;
grant update (b) on t to upfront_writer;
create schema s;
grant usage on schema s to upfront_reader;
alter default privileges in schema s grant select on tables to upfront_reader;
create table s.granted (i int);
