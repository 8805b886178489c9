create table p (a int, b int, primary key (a, b));
create table c (a int, b int, x int, foreign key (a, b) references p);
create table q (i int primary key);
alter table c add constraint cq foreign key (x) references q not valid;
