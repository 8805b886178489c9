create table t (a int not null, b text, c int) partition by range (a);
create table t1 partition of t for values from (0) to (10);
create table t2 (a int not null, b text, c int);
create table t3 partition of t for values from (10) to (30);
create table apart (a int not null, b text, c int);
alter table t attach partition apart for values from (30) to (40);
create index on t (b);
create index on t2 (b);
alter table t add primary key (a);
