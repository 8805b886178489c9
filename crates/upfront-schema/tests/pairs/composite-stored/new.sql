CREATE TYPE point3 AS (x bigint, y int, label text);
CREATE TYPE line AS (a point3, b point3);
CREATE TYPE unused AS (a text);
CREATE DOMAIN known_point AS point3 CHECK (VALUE IS NOT NULL);
CREATE TABLE shapes (
  id int PRIMARY KEY, corner point3, corners point3[], edge line, known known_point
);
CREATE VIEW corners AS SELECT id, (corner).x FROM shapes;
CREATE FUNCTION far(point3) RETURNS bool LANGUAGE sql AS 'SELECT ($1).x > 9';
