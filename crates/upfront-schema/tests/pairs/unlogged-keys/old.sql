create table a (id int primary key);
create table b (id int primary key references a);
create unlogged table d (id int primary key);
create unlogged table c (id int primary key references d);
