create table t (a int, b int constraint known check (b is not null), c int, d int);
create table below (e int) inherits (t);
create table p (k int, v text) partition by list (k);
create table p1 partition of p for values in (1);
create index kept on t (c);
alter table t add constraint stays check (d is not null);
