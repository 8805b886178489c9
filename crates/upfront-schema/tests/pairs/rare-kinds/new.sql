create table t (a int, b int);
create statistics s (ndistinct) on a, b from t;
alter statistics s set statistics 50;
create collation c (locale = 'POSIX');
create type point2 as (x int, y int);
create function to_text(point2) returns text language sql immutable as 'select 1::text';
create cast (point2 as text) with function to_text(point2) as assignment;
create function watch() returns event_trigger language plpgsql as 'begin end';
create event trigger e on ddl_command_end when tag in ('DROP TABLE') execute function watch();
