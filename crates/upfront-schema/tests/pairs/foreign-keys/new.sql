create table p (a int, b int, primary key (a, b));
create table c (a int, b int, x int, foreign key (a, b) references p match full on update cascade on delete set null);
create table q (i int primary key);
alter table c add constraint cq foreign key (x) references q deferrable initially deferred;
create table m (i int primary key, n int);
create table n (i int primary key, m int references m);
alter table m add foreign key (n) references n;
