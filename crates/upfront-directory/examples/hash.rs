//! Rewrites `atlas.sum` and `down/atlas.sum` of a migrations directory.
//!
//! `cargo run -p upfront-directory --example hash -- migrations`

use std::{env, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(1) else {
        eprintln!("which directory?");
        return ExitCode::FAILURE;
    };
    match upfront_directory::write_sums(Path::new(&directory)) {
        Ok(written) => {
            for it in written {
                println!("wrote {}", it.display());
            }
            ExitCode::SUCCESS
        }
        Err(err) => {
            eprintln!("{err}");
            ExitCode::FAILURE
        }
    }
}
