create sequence s;
create sequence far minvalue 5 maxvalue 10;
create table t (a int generated always as identity);
