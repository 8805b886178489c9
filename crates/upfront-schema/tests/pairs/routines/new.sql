create function same(a int) returns int language sql immutable as 'select a + 1';
create function other(a int, b int) returns bigint language sql as 'select a::bigint';
create procedure p(inout x int) language plpgsql as 'begin x := 1; end';
create function step(a int, b int) returns int language sql as 'select a + b';
create aggregate total(int) (sfunc = step, stype = int, initcond = '0');
create function uses_later() returns bigint language sql as 'select count(*) from later';
create table later (i int);
create function body() returns int language sql begin atomic select i from later; end;
