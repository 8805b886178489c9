create unlogged table a (i int primary key) with (fillfactor = 80, autovacuum_enabled = false);
create table b (i int not null unique);
alter table b replica identity using index b_i_key;
create table c (i int);
alter table c enable row level security;
alter table c force row level security;
alter table c replica identity full;
