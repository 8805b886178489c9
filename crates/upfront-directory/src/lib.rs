//! What a PostgreSQL migrations directory is: names, directives, statements, checksums.
