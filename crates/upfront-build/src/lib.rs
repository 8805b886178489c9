//! Compiles a PostgreSQL migrations directory into a Rust service: the build.rs half of upfront.
