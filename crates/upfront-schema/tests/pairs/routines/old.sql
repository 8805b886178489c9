create function same(a int) returns int language sql as 'select a';
create function other(a int, b int default 1) returns int language sql as 'select a';
create procedure p() language sql as 'select 1';
create function step(a int, b int) returns int language sql as 'select a + b';
create aggregate total(int) (sfunc = step, stype = int);
