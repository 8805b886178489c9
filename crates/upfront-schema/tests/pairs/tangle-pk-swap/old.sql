create table p (a int primary key, b int not null unique);
alter table p replica identity using index p_b_key;
alter table p cluster on p_pkey;
create table c (x int references p (a), y int references p (b));
create publication pub for table p;
