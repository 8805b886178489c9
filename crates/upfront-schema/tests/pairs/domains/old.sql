create domain a as text check (value <> '');
create domain b as int default 1;
create domain kept as varchar(5);
create table t (k kept);
