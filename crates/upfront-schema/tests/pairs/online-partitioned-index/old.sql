create table t (a int not null, b int, c text) partition by list (a);
create table t1 partition of t for values in (1);
create table t2 partition of t for values in (2, 3) partition by range (b);
create table t21 partition of t2 for values from (0) to (10);
create table t22 partition of t2 default;
create index there on t1 (b, c);
create index goes on t (c);
