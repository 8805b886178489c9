create table t (a int primary key, b int);
comment on table t is E'it''s\nnew';
comment on column t.a is 'key';
comment on constraint t_pkey on t is 'k';
comment on index t_pkey is 'i';
create view v as select a from t;
comment on column v.a is 'seen';
create function f(a int) returns int language sql as 'select a';
comment on function f is 'f';
