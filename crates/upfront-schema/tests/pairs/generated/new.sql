create table t (a bigint, b bigint generated always as (a * 3) stored, c int);
create index on t (b);
