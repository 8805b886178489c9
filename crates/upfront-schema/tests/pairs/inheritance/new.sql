create table base (a int, c int);
create table child (b int) inherits (base);
create table free (a int, c int) inherits (base);
create table fresh () inherits (base);
