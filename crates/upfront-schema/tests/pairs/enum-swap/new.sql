create type mood as enum ('ok', 'sad');
create table t (m mood default 'ok', all_of mood[], check (m <> 'sad'));
create index on t (m) where m = 'ok';
create view v as select m from t where m = 'ok';
create function f(m mood) returns text language sql as 'select m::text';
