SELECT $$;$$, $a$;$$;$a$, $_1$;$_1$, $ж$;$ж$, $é1$ $é$ ; $é1$;
SELECT 1 AS a$b$c; SELECT 2 AS x$$; SELECT 3 AS y$$;
SELECT $A$ not closed by $a$; $A$;
PREPARE p1 AS SELECT $1::int; EXECUTE p1(1); SELECT $q$'$q$, $q$"$q$;
DO $do$ BEGIN PERFORM 1; PERFORM $in$;$in$; END $do$;
SELECT $$$$, $x$$x$, $$'$$, $$/*$$, $$--$$;
SELECT $$
multi; line
$$;
SELECT $tag$ $tag $ tag$ ;$tag$;
SELECT '$$;', "$$;".* FROM (SELECT 1) "$$;";
