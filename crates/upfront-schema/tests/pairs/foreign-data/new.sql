create foreign data wrapper w options (debug 'on');
create server s version '2' foreign data wrapper w options (host 'b', name 'n');
create user mapping for public server s options (user 'u');
create foreign table f (a int, b text options (column_name 'c')) server s options (x '2');
