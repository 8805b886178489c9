create table m (a int, b int default 6, c text) partition by range (a);
create table m1 partition of m for values from (1) to (10);
alter table m1 alter b set default 9, alter b set not null, alter c set default 'two';
create table m2 partition of m for values from (10) to (20);
alter table m2 alter b set default 8;
create table p (x int, y text);
alter table p alter y set statistics 70, alter y set storage external;
create table k () inherits (p);
alter table k alter x set default 9, alter y set statistics 50, alter y set storage main;
