create sequence a as int minvalue -5 start 7 cache 4 cycle;
create sequence b;
create table t (i int, j int);
create sequence c owned by t.j;
create sequence d;
