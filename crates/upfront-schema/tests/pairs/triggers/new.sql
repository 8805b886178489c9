create table t (a bigint, b int);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger one before insert or update of a on t for each row when (new.a > 0) execute function f();
create trigger two after update on t for each row execute function f();
alter table t disable trigger two;
create constraint trigger three after insert on t deferrable for each row execute function f();
create rule r as on delete to t do also select 1;
