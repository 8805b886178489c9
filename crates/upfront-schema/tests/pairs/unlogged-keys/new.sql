create unlogged table a (id int primary key);
create unlogged table b (id int primary key references a);
create table d (id int primary key);
create table c (id int primary key references d);
