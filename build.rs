//! upfront is its own first user: its tables are migrations, embedded like those of any service.

fn main() {
    upfront_build::embed("migrations");
}
