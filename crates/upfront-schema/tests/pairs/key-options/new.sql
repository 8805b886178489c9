create extension btree_gist;
create table t (a int, b int, constraint k primary key (a) with (fillfactor = 60), constraint u unique (b),
  constraint x exclude using gist (a with =) with (fillfactor = 60) where (b > 1));
create table m (a int primary key with (fillfactor = 70), b text) partition by list (a);
create table m1 partition of m for values in (1);
create unique index mu on m (a, b) with (fillfactor = 70);
create index "i ON ONLY j" on t ((a::text || ' WHERE ')) with (fillfactor = 70);
create index w on t (b) with (fillfactor = 70) where a::text <> ' WHERE ';
