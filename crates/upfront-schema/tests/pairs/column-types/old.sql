create table t (a int, b varchar(10), c text, d text, e int[], f json, g timestamp, h text default '1', i numeric);
create view v as select a, b from t;
create index on t (lower(c));
