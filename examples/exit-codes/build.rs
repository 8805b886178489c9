//! Makes `migrations/` a part of the program.

fn main() {
    upfront_build::embed("migrations");
}
