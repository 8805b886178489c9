CREATE TABLE topics (
  name text PRIMARY KEY
);

INSERT INTO topics VALUES ('general'), ('migrations');

ALTER TABLE notes ADD COLUMN topic text NOT NULL DEFAULT 'general' REFERENCES topics;

UPDATE notes SET topic = 'migrations' WHERE body ILIKE '%migration%';
