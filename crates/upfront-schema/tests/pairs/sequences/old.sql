create sequence a;
create sequence b increment 2 maxvalue 100;
create table t (i int);
create sequence c owned by t.i;
