-- What an older program needs in order to roll back what it does not know, beside the SQL: what
-- is sent where that differs from the text, the file's own limits, and whether it was a checkpoint.
ALTER TABLE revisions
  ADD COLUMN down_body text,
  ADD COLUMN down_lock_timeout integer,
  ADD COLUMN down_statement_timeout integer,
  ADD COLUMN checkpoint boolean NOT NULL DEFAULT false;

-- Of a rollback that was begun outside a transaction and is to be ended by whoever comes next: what
-- was agreed to.
ALTER TABLE revisions
  ADD COLUMN rollback_accepted boolean,
  ADD COLUMN rollback_approval text,
  ADD COLUMN rollback_lost text;

-- Of a rollback: which plan was approved, and what was lost and accepted.
ALTER TABLE log
  ADD COLUMN approval text,
  ADD COLUMN lost text;

-- Migrations that were rolled back and must not come back by themselves. A released one stays, as
-- the answer to who held it and who released it.
CREATE TABLE holds (
  app text NOT NULL,
  version text COLLATE "C" NOT NULL,
  name text NOT NULL,
  hash text NOT NULL,
  held_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  held_by text NOT NULL DEFAULT session_user,
  host text,
  released_at timestamptz,
  released_by text,
  PRIMARY KEY (app, version)
);

-- The mark of a protected database: one row, with the identity of the database that was marked,
-- so that a copy of it can be told.
CREATE TABLE protection (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  system_identifier text NOT NULL,
  database oid NOT NULL,
  protected_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  protected_by text NOT NULL DEFAULT session_user,
  host text
);
