-- Which role owns an app. An app without a row belongs to the owner of these tables, who alone writes
-- here: whoever may write rows of one app can write none of another.
CREATE TABLE apps (
  app text PRIMARY KEY CHECK (app <> 'upfront'),
  owner name NOT NULL
);

-- The schemas that an app's migrations were applied to, as they were then. A schema that was dropped
-- and made again has another oid. A restored dump is in another database, or has another history
-- table; `pg_upgrade` changes the major version.
CREATE TABLE targets (
  app text NOT NULL,
  schema name NOT NULL,
  namespace oid NOT NULL,
  database oid NOT NULL,
  history oid NOT NULL,
  server_major integer NOT NULL,
  PRIMARY KEY (app, schema)
);

-- For a program that does not carry the migration that the journal speaks of.
ALTER TABLE steps
  ADD COLUMN name text,
  ADD COLUMN breaking boolean;

-- Refuses rows of an app that belongs to another role, and rows of no app unless the role owns the
-- tables. It runs as the role that writes.
CREATE FUNCTION guard_app() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
DECLARE
  wanted text[] := ARRAY['upfront'];
  refused text;
BEGIN
  IF NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
    IF TG_LEVEL = 'ROW' AND TG_TABLE_NAME NOT IN ('apps', 'protection') THEN
      IF TG_OP = 'INSERT' THEN
        wanted := ARRAY[NEW.app];
      ELSIF TG_OP = 'DELETE' THEN
        wanted := ARRAY[OLD.app];
      ELSE
        wanted := ARRAY[OLD.app, NEW.app];
      END IF;
    END IF;
    EXECUTE format(
      'SELECT min(w.app) FROM unnest($1) w (app) WHERE NOT EXISTS (SELECT FROM %I.apps a JOIN pg_roles r '
        'ON r.rolname = a.owner WHERE a.app = w.app AND pg_has_role(r.oid, ''MEMBER''))',
      TG_TABLE_SCHEMA) INTO refused USING wanted;
    IF refused IS NOT NULL THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('app %L of upfront does not belong to role %L', refused, current_user);
    END IF;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER guard_app BEFORE INSERT OR UPDATE OR DELETE ON revisions
  FOR EACH ROW EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON revisions
  FOR EACH STATEMENT EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_app BEFORE INSERT OR UPDATE OR DELETE ON log
  FOR EACH ROW EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON log
  FOR EACH STATEMENT EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_app BEFORE INSERT OR UPDATE OR DELETE ON steps
  FOR EACH ROW EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON steps
  FOR EACH STATEMENT EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_app BEFORE INSERT OR UPDATE OR DELETE ON holds
  FOR EACH ROW EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON holds
  FOR EACH STATEMENT EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_app BEFORE INSERT OR UPDATE OR DELETE ON targets
  FOR EACH ROW EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON targets
  FOR EACH STATEMENT EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_app BEFORE INSERT OR UPDATE OR DELETE ON apps
  FOR EACH ROW EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON apps
  FOR EACH STATEMENT EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_app BEFORE INSERT OR UPDATE OR DELETE ON protection
  FOR EACH ROW EXECUTE FUNCTION guard_app();
CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON protection
  FOR EACH STATEMENT EXECUTE FUNCTION guard_app();
