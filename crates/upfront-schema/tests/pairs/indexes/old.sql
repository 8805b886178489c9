create table t (a int, b text, c int[], d text);
create index one on t (a);
comment on index one is 'first';
create index two on t (b) with (fillfactor = 80);
create index gone on t (d);
