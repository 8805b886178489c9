-- since 18
create table t (a int, b int, c int not null, d int not null, e int, f int not null no inherit, g int);
alter table t add not null b not valid, add not null g not valid, add not null e not valid;
create table up (x int);
create table child (y int not null) inherits (up);
create table p (a int, b int not null) partition by list (a);
create table p1 partition of p for values in (1);
create table fresh (a int not null no inherit, b int);
alter table fresh add not null b not valid;
