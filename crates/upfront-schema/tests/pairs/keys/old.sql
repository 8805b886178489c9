create table t (a int, b int, c int, d int, constraint k primary key (a), constraint u unique (b));
