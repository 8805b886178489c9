CREATE FUNCTION noisy() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  IF tg_op = 'INSERT' THEN
    RAISE NOTICE 'it''s; %', new;
  END IF;
  RETURN new;
END;
$function$;
CREATE TABLE t (a int PRIMARY KEY, b text DEFAULT 'x;', c timestamptz DEFAULT now());
CREATE TRIGGER noisy BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION noisy();
COMMENT ON TABLE t IS 'one; two';
INSERT INTO t (a, b) VALUES (1, 'a'), (2, 'b;') ON CONFLICT (a) DO UPDATE SET b = excluded.b;
WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone;
SET search_path TO public, pg_catalog; RESET search_path;
CREATE SCHEMA several CREATE TABLE u (a int) CREATE VIEW v AS SELECT a FROM u;
DO LANGUAGE plpgsql 'BEGIN PERFORM 1; END';
EXPLAIN SELECT 1; VALUES (1), (2); TABLE t;
SELECT jsonb '{"a": 1}' ? 'a', jsonb '{"a;": 1}' -> 'a;', 5 # 3, 1 <> 2, '{1,2}'::int[] @> '{1}', 1::text || ';';
SELECT '1'::int, (ARRAY[1,2,3])[1:2], 1.5e3, .5, 1., 2e-3;
GRANT SELECT ON t TO PUBLIC;
ALTER TABLE t ADD COLUMN d int, DROP COLUMN b, ALTER COLUMN c TYPE text;
DROP TABLE t CASCADE; DROP SCHEMA several CASCADE; DROP FUNCTION noisy
