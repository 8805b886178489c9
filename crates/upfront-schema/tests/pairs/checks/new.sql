create table t (a int check (a > 1), b varchar check (b in ('x', 'y')), c int);
alter table t add constraint late check (c > 0) not valid;
alter table t add constraint mine check (c < 9) no inherit;
