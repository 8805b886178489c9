//! `completions`

use std::io;

use clap_complete::Shell;

/// Options of `completions`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    shell: Shell,
}

impl Arguments {
    pub(crate) fn run(&self, mut command: clap::Command) {
        clap_complete::generate(self.shell, &mut command, "upfront", &mut io::stdout());
    }
}
