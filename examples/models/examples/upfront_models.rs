//! Prints the models of the crate as SQL.

use models as _;

fn main() -> std::process::ExitCode {
    upfront::model::print()
}
