create extension btree_gist;
create table t (a int, b int, constraint k primary key (a), constraint u unique (b) with (fillfactor = 90),
  constraint x exclude using gist (a with =) where (b > 0));
create table m (a int primary key, b text) partition by list (a);
create table m1 partition of m for values in (1);
create unique index mu on m (a, b);
create index "i ON ONLY j" on t ((a::text || ' WHERE '));
