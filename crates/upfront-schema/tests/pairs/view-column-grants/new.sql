create table t (a int, b int);
create view v as select b as x, a from t;
grant select (x) on v to public;
grant select on v to ga;
