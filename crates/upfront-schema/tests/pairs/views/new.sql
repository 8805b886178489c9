create table t (a int, b int, c int);
create view one as select a::bigint from t;
create view two as select a from one;
create view three with (security_barrier) as select a, b, c from t;
comment on view two is 'kept';
create materialized view m as select a from two;
create index on m (a);
