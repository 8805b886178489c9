-- The roles of Amazon RDS and Aurora, and stand-ins for the extensions of AWS.
-- Roles that are there already stay as they are.

CREATE ROLE rdsadmin NOLOGIN;
CREATE ROLE rds_superuser NOLOGIN;
CREATE ROLE rds_replication NOLOGIN;
CREATE ROLE rds_iam NOLOGIN;
CREATE ROLE rds_password NOLOGIN;
CREATE ROLE rds_ad NOLOGIN;
CREATE ROLE rds_extension NOLOGIN;
CREATE ROLE rds_reserved NOLOGIN;
CREATE ROLE rdsrepladmin NOLOGIN;
CREATE ROLE rdstopmgr NOLOGIN;
CREATE ROLE rdswriteforwarduser NOLOGIN;
GRANT rds_replication, rds_password TO rds_superuser;
GRANT pg_monitor, pg_signal_backend TO rds_superuser;

CREATE SCHEMA aws_commons;
CREATE TYPE aws_commons._s3_uri_1 AS (bucket text, file_path text, region text);
CREATE TYPE aws_commons._aws_credentials_1 AS (access_key text, secret_key text, session_token text);
CREATE TYPE aws_commons._lambda_function_arn_1 AS (function_name text, region text);
CREATE FUNCTION aws_commons.create_s3_uri(s3_bucket text, s3_key text, aws_region text)
  RETURNS aws_commons._s3_uri_1 LANGUAGE sql IMMUTABLE
  AS 'SELECT ROW(s3_bucket, s3_key, aws_region)::aws_commons._s3_uri_1';
CREATE FUNCTION aws_commons.create_lambda_function_arn(function_name text, region text DEFAULT NULL)
  RETURNS aws_commons._lambda_function_arn_1 LANGUAGE sql IMMUTABLE
  AS 'SELECT ROW(function_name, region)::aws_commons._lambda_function_arn_1';
CREATE SCHEMA aws_s3;
CREATE FUNCTION aws_s3.table_import_from_s3(
  table_name text, column_list text, options text, s3_info aws_commons._s3_uri_1,
  credentials aws_commons._aws_credentials_1 DEFAULT NULL
) RETURNS text LANGUAGE sql AS $$ SELECT ''::text $$;
CREATE FUNCTION aws_s3.query_export_to_s3(
  query text, s3_info aws_commons._s3_uri_1, kms_key text DEFAULT NULL, options text DEFAULT NULL,
  OUT rows_uploaded bigint, OUT files_uploaded bigint, OUT bytes_uploaded bigint
) LANGUAGE sql AS 'SELECT 0::bigint, 0::bigint, 0::bigint';
CREATE SCHEMA aws_lambda;
CREATE FUNCTION aws_lambda.invoke(
  function_name aws_commons._lambda_function_arn_1, req_payload json,
  invocation_type text DEFAULT 'RequestResponse', log_type text DEFAULT 'None', context json DEFAULT NULL,
  qualifier varchar(128) DEFAULT NULL, OUT status_code integer, OUT payload json,
  OUT executed_version text, OUT log_result text
) LANGUAGE sql AS 'SELECT 0, NULL::json, NULL::text, NULL::text';
