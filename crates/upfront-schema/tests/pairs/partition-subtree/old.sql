create table m (a int, b int) partition by range (a);
create table m1 partition of m for values from (1) to (10) partition by list (b);
create table m11 partition of m1 for values in (1, 2);
create index on m (b);
