create table t (a int not null, b int not null, c text, primary key (a, b)) partition by range (a);
create table t1 partition of t for values from (0) to (10) partition by list (b);
create table t11 partition of t1 for values in (1);
create table t2 partition of t default;
create index ti on t (c);
create table r (a int, b int, foreign key (a, b) references t);
create function tf() returns trigger language plpgsql as 'begin return new; end';
create trigger tg after insert on t for each row execute function tf();
