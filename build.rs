//! upfront is its own first user: its tables are migrations, embedded like anybody's.

fn main() {
    upfront_build::embed("migrations");
}
