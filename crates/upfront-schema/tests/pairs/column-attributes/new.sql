create table t (a text collate "C", b text compression pglz, c text, d int);
alter table t alter a set storage external;
alter table t alter c set statistics 500;
alter table t alter d set (n_distinct = 5);
