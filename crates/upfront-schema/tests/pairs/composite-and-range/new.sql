create type pair as (a bigint, c text);
create type span as range (subtype = float8, subtype_diff = float8mi);
create type triple as (a int, b pair);
