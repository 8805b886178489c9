create table t (a int, b text, c int[], d text);
create unique index one on t (a desc nulls last) include (d) where a > 0;
create index two on t (b) with (fillfactor = 70);
comment on index one is 'first';
create index three on t using gin (c);
create index four on t ((lower(b)) text_pattern_ops, d collate "C");
create index five on t using hash (a) with (fillfactor = 60);
alter index four alter column 1 set statistics 100;
