create view thing as select 1 as i;
create table other (i int);
create procedure f(i int) language sql as 'select 1';
