-- One row for each migration that the database has, of each app that shares it.
CREATE TABLE revisions (
  app text NOT NULL,
  version text COLLATE "C" NOT NULL,
  name text NOT NULL,
  hash text NOT NULL,
  chain text NOT NULL,
  breaking boolean NOT NULL DEFAULT false,
  kind text NOT NULL DEFAULT 'applied',
  up_sql text,
  down_sql text,
  down_hash text,
  down_statements jsonb,
  down_transactional boolean,
  irreversible text,
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  duration interval,
  login text NOT NULL DEFAULT session_user,
  role text NOT NULL DEFAULT current_user,
  application text NOT NULL
    DEFAULT coalesce(nullif(pg_catalog.current_setting('application_name'), ''), 'upfront'),
  host text,
  release text,
  server_version text NOT NULL DEFAULT pg_catalog.current_setting('server_version'),
  -- What a boot compares: the server derives it from the row, so an edit by hand shows.
  fingerprint bit(256) NOT NULL GENERATED ALWAYS AS ((
    'x' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.replace(
      version || '/' || name || '/' || hash || '/' || chain || '/'
        || CASE WHEN breaking THEN 't' ELSE 'f' END, '\', '\\')::bytea), 'hex')
  )::bit(256)) STORED,
  PRIMARY KEY (app, version),
  CHECK (kind IN ('applied', 'covered', 'baseline')),
  CHECK (hash ~ '^[0-9a-f]{64}$' AND chain ~ '^[0-9a-f]{64}$')
);

-- Append-only: every up and down, with its outcome.
CREATE TABLE log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  app text NOT NULL,
  version text COLLATE "C" NOT NULL,
  name text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('up', 'down')),
  outcome text NOT NULL CHECK (outcome IN ('applied', 'covered', 'baseline', 'failed', 'reverted')),
  hash text NOT NULL,
  duration interval,
  sqlstate text,
  message text,
  login text NOT NULL DEFAULT session_user,
  role text NOT NULL DEFAULT current_user,
  application text NOT NULL
    DEFAULT coalesce(nullif(pg_catalog.current_setting('application_name'), ''), 'upfront'),
  address inet DEFAULT pg_catalog.inet_client_addr(),
  host text,
  release text,
  server_version text NOT NULL DEFAULT pg_catalog.current_setting('server_version')
);

-- The journal of a migration that runs outside a transaction: a row for each statement, until
-- the whole migration is a revision.
CREATE TABLE steps (
  app text NOT NULL,
  version text COLLATE "C" NOT NULL,
  direction text NOT NULL CHECK (direction IN ('up', 'down')),
  ordinal integer NOT NULL,
  hash text NOT NULL,
  started timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  finished timestamptz,
  PRIMARY KEY (app, version, direction, ordinal)
);
