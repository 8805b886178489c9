-- Create "library" schema
CREATE SCHEMA library;
-- Create "copy_state" enum
CREATE TYPE library.copy_state AS ENUM ('good', 'in_repair', 'lost');
-- Create "standing" enum
CREATE TYPE library.standing AS ENUM ('good', 'warned', 'suspended');
-- Create "books" table
CREATE TABLE library.books (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  isbn text,
  title text NOT NULL,
  subjects text[] NOT NULL,
  details jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT books_isbn_check CHECK ((isbn ~ '^[0-9]{13}$'::text)),
  CONSTRAINT books_pkey PRIMARY KEY (id),
  CONSTRAINT books_isbn_key UNIQUE (isbn)
);
-- Create "readers" table
CREATE TABLE library.readers (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY (START WITH 1000),
  name text NOT NULL,
  email text NOT NULL,
  branch integer NOT NULL,
  standing library.standing NOT NULL DEFAULT 'good'::library.standing,
  joined_at timestamp with time zone NOT NULL DEFAULT now(),
  left_at timestamp with time zone,
  CONSTRAINT readers_pkey PRIMARY KEY (id)
);
-- Modify "readers" table
ALTER TABLE library.readers
  ENABLE ROW LEVEL SECURITY;
-- Create "branches" table
CREATE TABLE library.branches (
  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  head bigint,
  CONSTRAINT branches_pkey PRIMARY KEY (id),
  CONSTRAINT branches_name_key UNIQUE (name),
  CONSTRAINT branches_head_fkey FOREIGN KEY (head) REFERENCES library.readers(id) ON DELETE SET NULL
);
-- Create "copies" table
CREATE TABLE library.copies (
  book uuid NOT NULL,
  number smallint NOT NULL,
  branch integer NOT NULL,
  shelf text,
  state library.copy_state NOT NULL DEFAULT 'good'::library.copy_state,
  price numeric(8,2) NOT NULL,
  CONSTRAINT copies_price_check CHECK ((price >= (0)::numeric)),
  CONSTRAINT lost_stands_nowhere CHECK (((state <> 'lost'::library.copy_state) OR (shelf IS NULL))),
  CONSTRAINT copies_pkey PRIMARY KEY (book, number),
  CONSTRAINT copies_book_fkey FOREIGN KEY (book) REFERENCES library.books(id) ON DELETE CASCADE,
  CONSTRAINT copies_branch_fkey FOREIGN KEY (branch) REFERENCES library.branches(id)
);
-- Create "loans" table
CREATE TABLE library.loans (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  book uuid NOT NULL,
  copy smallint NOT NULL,
  reader bigint NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT now(),
  back_at timestamp with time zone,
  state library.copy_state,
  "out" boolean NOT NULL GENERATED ALWAYS AS ((back_at IS NULL)) STORED,
  CONSTRAINT loans_check CHECK ((back_at > at)),
  CONSTRAINT loans_pkey PRIMARY KEY (id),
  CONSTRAINT loans_reader_fkey FOREIGN KEY (reader) REFERENCES library.readers(id),
  CONSTRAINT loans_book_copy_fkey FOREIGN KEY (book, copy) REFERENCES library.copies(book, number) ON DELETE RESTRICT
);
-- Modify "readers" table
-- may-fail: each row of library.readers has to fit
ALTER TABLE library.readers
  ADD CONSTRAINT readers_branch_fkey FOREIGN KEY (branch) REFERENCES library.branches(id);
-- Create "books_by_title" index
CREATE INDEX books_by_title ON library.books USING btree (lower(title) text_pattern_ops);
-- Create "books_subjects_idx" index
CREATE INDEX books_subjects_idx ON library.books USING gin (subjects);
-- Create "copies_branch_idx" index
CREATE INDEX copies_branch_idx ON library.copies USING btree (branch);
-- Create "loans_one_at_a_time" index
-- may-fail: no two rows may be alike
CREATE UNIQUE INDEX loans_one_at_a_time ON library.loans USING btree (book, copy) WHERE (back_at IS NULL);
-- Create "loans_reader_idx" index
CREATE INDEX loans_reader_idx ON library.loans USING btree (reader);
-- Create "readers_branch_idx" index
CREATE INDEX readers_branch_idx ON library.readers USING btree (branch);
-- Create "readers_lower_idx" index
-- may-fail: no two rows may be alike
CREATE UNIQUE INDEX readers_lower_idx ON library.readers USING btree (lower(email)) WHERE (left_at IS NULL);
-- Create "own" policy
CREATE POLICY own ON library.readers FOR SELECT
  USING ((email = CURRENT_USER));
-- Set comment of "library"."books"."details"
COMMENT ON COLUMN library.books.details IS 'What the catalogue of the publisher says.';
-- Set comment of "library"."books"."isbn"
COMMENT ON COLUMN library.books.isbn IS 'Thirteen digits.';
-- Set comment of "library"."books"
COMMENT ON TABLE library.books IS 'A title, of which the library may have several copies.';
