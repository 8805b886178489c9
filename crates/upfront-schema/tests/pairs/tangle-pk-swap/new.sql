create table p (a int not null unique, b int primary key);
alter table p replica identity using index p_a_key;
create table c (x int references p (a), y int references p (b));
create publication pub for table p, c;
