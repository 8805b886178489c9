-- since 15
create table t (a int, b int, c int, d int, constraint k primary key (a, b), constraint u unique nulls not distinct (b), constraint w unique (c) include (d) deferrable initially deferred);
alter table t cluster on k;
