/* a block comment with ; and /* a nested one; */ too */
CREATE TABLE "a;b" (id bigint GENERATED ALWAYS AS IDENTITY, "it's" text DEFAULT 'x;''y', e text DEFAULT E'\';');
CREATE TYPE mood AS ENUM ('sad', 'ok');
ALTER TYPE mood ADD VALUE 'happy';
CREATE FUNCTION one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 ELSE 2 END; END;
CREATE FUNCTION two() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  -- a comment; with 'quotes
  NEW."it's" := $q$quoted; $$ text$q$;
  RETURN NEW;
END
$f$;;
CREATE TRIGGER t BEFORE INSERT ON "a;b" FOR EACH ROW EXECUTE FUNCTION two();
CREATE RULE r AS ON DELETE TO "a;b" DO ALSO (SELECT 1; SELECT 2);
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_class WHERE relname = 'none') THEN CREATE TABLE made (id int); END IF; END $$;
INSERT INTO "a;b" ("it's") VALUES ('1'), (U&'\0061');
COMMENT ON TABLE "a;b" IS 'ünïcode; naïve';
SELECT 'a result set', * FROM "a;b";
CREATE VIEW v AS SELECT id FROM "a;b" -- the end without a semicolon
