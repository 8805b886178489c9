-- Modify "readers" table
ALTER TABLE library.readers
  DROP CONSTRAINT readers_branch_fkey;
-- Drop "loans" table
-- data-loss: all rows of library.loans
DROP TABLE library.loans;
-- Drop "copies" table
-- data-loss: all rows of library.copies
DROP TABLE library.copies;
-- Drop "books" table
-- data-loss: all rows of library.books
DROP TABLE library.books;
-- Drop "branches" table
-- data-loss: all rows of library.branches
DROP TABLE library.branches;
-- Drop "readers" table
-- data-loss: all rows of library.readers
DROP TABLE library.readers;
-- Drop "copy_state" enum
DROP TYPE library.copy_state;
-- Drop "standing" enum
DROP TYPE library.standing;
-- Drop "library" schema
DROP SCHEMA library;
