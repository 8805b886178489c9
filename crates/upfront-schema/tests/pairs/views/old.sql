create table t (a int, b int);
create view one as select a from t;
create view two as select a from one;
create view three as select a, b from t;
comment on view two is 'kept';
create materialized view m as select a from two;
create index on m (a);
