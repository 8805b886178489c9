-- What a database of Neon has before the first migration.
-- Roles that are there already stay as they are.

CREATE ROLE cloud_admin NOLOGIN;
CREATE ROLE neon_superuser NOLOGIN CREATEDB CREATEROLE BYPASSRLS;
CREATE ROLE neondb_owner NOLOGIN CREATEDB CREATEROLE BYPASSRLS;
CREATE ROLE web_access NOLOGIN;
CREATE ROLE authenticator NOLOGIN NOINHERIT;
CREATE ROLE anonymous NOLOGIN;
CREATE ROLE authenticated NOLOGIN;
GRANT neon_superuser TO neondb_owner;
GRANT anonymous, authenticated TO authenticator;

ALTER DEFAULT PRIVILEGES FOR ROLE cloud_admin IN SCHEMA public
  GRANT ALL ON TABLES TO neon_superuser WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE cloud_admin IN SCHEMA public
  GRANT ALL ON SEQUENCES TO neon_superuser WITH GRANT OPTION;

CREATE SCHEMA neon;
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth.users_sync (
  raw_json jsonb NOT NULL,
  id text GENERATED ALWAYS AS (raw_json ->> 'id') STORED PRIMARY KEY,
  name text GENERATED ALWAYS AS (raw_json ->> 'display_name') STORED,
  email text GENERATED ALWAYS AS (raw_json ->> 'primary_email') STORED,
  created_at timestamptz,
  updated_at timestamptz,
  deleted_at timestamptz
);
