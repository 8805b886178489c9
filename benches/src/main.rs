//! What a boot costs: upfront, its peers and the same work by hand, interleaved in one run.
//!
//! ```text
//! cargo run --release -p upfront-benches --bin startup -- --quick
//! ```

mod boot;
mod cold;
mod floor;
mod herd;
mod measure;
mod options;
mod page;
mod rebuild;
mod set;
mod stage;
mod traffic;
mod warm;
mod wire;

use std::{error::Error, fs, process::ExitCode};

use options::{Options, Section};
use page::Page;
use stage::Stage;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(it) = rebuild::as_rustc() {
        return it;
    }
    let options = match Options::from_env() {
        Ok(Some(it)) => it,
        Ok(None) => return ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{err}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("the bench cannot go on: {err}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    wire::sharpen_timers();
    let stage = Stage::start().await?;
    let mut page = Page::new("What a boot costs");
    stage.describe(options, &mut page).await?;
    for section in &options.sections {
        eprintln!("… {}", section.name());
        match section {
            Section::Warm => warm::run(&stage, options, &mut page).await?,
            Section::Cold => cold::run(&stage, options, &mut page).await?,
            Section::Herd => herd::run(&stage, options, &mut page).await?,
            Section::Traffic => traffic::run(&stage, options, &mut page).await?,
            Section::Rebuild => rebuild::run(options, &mut page)?,
        }
    }
    println!("{page}");
    match &options.write {
        Some(path) => Ok(fs::write(path, page.to_string())?),
        None => Ok(()),
    }
}
