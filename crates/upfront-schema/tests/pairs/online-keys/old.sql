create table r (a int, b int, c text);
create table t (a int, b int, c text);
create materialized view m as select a, c from t;
create table p (k int) partition by list (k);
create table p1 partition of p for values in (1);
create table u (a int not null, b int);
alter table u add constraint u_key unique (a);
create unique index promoted on u (b);
