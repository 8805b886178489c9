create table t (a bigint, b varchar(20), c varchar(5), d int, e bigint[], f jsonb, g timestamptz, h int default 1, i int);
create view v as select a, b from t;
create index on t (lower(c));
