create table t (a int, b int);
create statistics s on a, b from t;
create collation c (locale = 'C');
create text search dictionary d (template = simple, accept = false);
create text search configuration gone (copy = simple);
create operator === (leftarg = int, rightarg = int, function = int4eq);
