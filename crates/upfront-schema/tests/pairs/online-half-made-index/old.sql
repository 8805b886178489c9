create table t (a int not null, b int) partition by list (a);
create table t1 partition of t for values in (1);
create table t2 partition of t default;
create index i on only t (b);
create index i1 on t1 (b);
