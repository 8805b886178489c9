create table m (a int, b int) partition by range (a);
create table m1 (a int, b int) partition by list (b);
create table m11 partition of m1 for values in (1, 3);
create table m3 partition of m default partition by hash (b);
create table m31 partition of m3 for values with (modulus 2, remainder 0);
create index on m (b);
