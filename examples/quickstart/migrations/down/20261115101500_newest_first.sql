-- atlas:txmode none

DROP INDEX CONCURRENTLY notes_newest_first;
