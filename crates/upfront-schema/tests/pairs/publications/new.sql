-- since 15
create table t (a int primary key, b int);
create publication p for table t (a) where (a > 0) with (publish = 'insert');
create schema s;
create publication q for tables in schema s;
