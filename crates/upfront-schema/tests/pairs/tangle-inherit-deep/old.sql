create table a (x int check (x > 0), y text default 'a');
create table b (z int) inherits (a);
create table c () inherits (b);
create table d (x int, y text);
create index on b (x);
