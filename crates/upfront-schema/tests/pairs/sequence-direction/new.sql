create sequence s as smallint increment -1 minvalue -10 start -3;
create sequence far minvalue 20 maxvalue 30;
create table t (a int generated always as identity (increment -1));
