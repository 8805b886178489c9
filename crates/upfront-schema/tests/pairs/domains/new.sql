create domain a as text not null check (value <> 'x');
create domain b as int default 2 constraint positive check (value > 0);
create domain kept as varchar(9);
create domain c as text collate "C";
create table t (k kept);
