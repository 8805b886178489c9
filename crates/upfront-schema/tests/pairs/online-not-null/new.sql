create table t (a int not null, b int not null, c int not null, d int not null, primary key (a, c));
create table below (e int) inherits (t);
create table p (k int, v text not null, constraint positive check (k > 0)) partition by list (k);
create table p1 partition of p for values in (1);
create index kept on t (c);
alter table t add constraint stays check (d is not null);
alter table t replica identity using index t_pkey;
