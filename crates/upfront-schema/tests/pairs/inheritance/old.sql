create table base (a int);
create table child (b int) inherits (base);
create table free (a int);
