CREATE TABLE notes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  body text NOT NULL CHECK (body <> ''),
  created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO notes (body) VALUES
  ('A migration is a file of plain SQL.'),
  ('This service said that it is ready once all of them were applied.');
