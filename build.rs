//! upfront is its own first user: its tables are migrations, embedded like anybody's.

use std::env;

fn main() {
    upfront_build::embed("migrations");
    if env::var_os("CARGO_FEATURE_DEV").is_some() {
        // Read by `upfront_build` in the build scripts of those who depend on upfront.
        println!("cargo::metadata=live=1");
        println!("cargo::rerun-if-env-changed=UPFRONT_DEV_IN_RELEASE");
    }
}
