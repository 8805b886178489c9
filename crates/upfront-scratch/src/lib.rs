//! Throw-away PostgreSQL servers for tests, examples and schema tools.
