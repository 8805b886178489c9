create table t (id serial);
alter table t owner to upfront_writer;
create view v as select 1 as one;
alter view v owner to upfront_writer;
create schema s authorization upfront_writer;
