-- atlas:txmode none

-- The table stays writable while the index is built, which PostgreSQL cannot do in a transaction.
CREATE INDEX CONCURRENTLY notes_newest_first ON notes (topic, id DESC);
