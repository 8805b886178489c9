create table t (a int, b int not null, c int not null no inherit, d int, e int not null, f int);
alter table t add not null d not valid;
create table up (x int not null);
create table child (y int not null no inherit) inherits (up);
create table p (a int, b int) partition by list (a);
create table p1 partition of p for values in (1);
alter table p add not null b not valid;
