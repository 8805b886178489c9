-- The roles of Google Cloud SQL.
-- Roles that are there already stay as they are.

CREATE ROLE cloudsqladmin NOLOGIN;
CREATE ROLE cloudsqlsuperuser NOLOGIN CREATEDB CREATEROLE;
CREATE ROLE cloudsqlagent NOLOGIN;
CREATE ROLE cloudsqlimportexport NOLOGIN;
CREATE ROLE cloudsqlreplica NOLOGIN;
CREATE ROLE cloudsqliamuser NOLOGIN;
CREATE ROLE cloudsqliamserviceaccount NOLOGIN;
CREATE ROLE cloudsqliamgroup NOLOGIN;
CREATE ROLE cloudsqlinactiveuser NOLOGIN;
GRANT pg_monitor TO cloudsqlsuperuser;
