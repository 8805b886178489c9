create table a (i int primary key) with (fillfactor = 70);
create unlogged table b (i int not null unique);
create table c (i int);
