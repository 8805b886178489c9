create table t (a int check (a > 0), b varchar check (b in ('x', 'y')), c int);
