create table t (id serial);
create view v as select 1 as one;
