//! PostgreSQL migrations compiled into a Rust service and settled before it serves traffic.
