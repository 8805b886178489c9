create table t (a int);
create operator family f using btree;
alter operator family f using btree add function 1 (int4, int8) btint48cmp(int4, int8);
create operator class gone for type int using hash as operator 1 =, function 1 hashint4(int);
create index i on t using hash (a gone);
