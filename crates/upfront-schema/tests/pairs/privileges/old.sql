create table t (a int, b int);
create function f() returns int language sql as 'select 1';
grant select on t to upfront_reader;
