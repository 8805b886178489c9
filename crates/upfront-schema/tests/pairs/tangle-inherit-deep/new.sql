create table a (x bigint check (x > 1), y text default 'b' not null, w int default 3);
create table b (z int) inherits (a);
create table c () inherits (b);
alter table c alter w set default 9;
create table d (w int default 4) inherits (a, c);
create index on b (w);
