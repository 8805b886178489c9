alter default privileges grant select on tables to upfront_reader;
alter default privileges revoke execute on functions from public;
create table a (i int);
create function f() returns int language sql as 'select 1';
