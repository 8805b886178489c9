create table thing (i int);
create view other as select 1 as i;
create function f(i int) returns int language sql as 'select 1';
