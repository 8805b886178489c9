create table t (a int primary key, b int);
comment on table t is 'old';
comment on column t.b is 'gone';
