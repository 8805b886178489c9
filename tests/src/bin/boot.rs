//! Boots on the folder that it is given, as a service would, or rolls back to `BOOT_DOWN_TO`, and
//! prints the report.

#![allow(clippy::unwrap_used, reason = "a test program")]

use std::{env, fs, path::Path, process::ExitCode, time::Duration};

use upfront::{Migrations, Migrator, NewerDatabase, Report, Target};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let folder = env::args_os().nth(1).expect("usage: boot FOLDER");
    let migrations = Migrations::from_files(files(Path::new(&folder)));
    let pool = upfront_tests::pool(&env::var("DATABASE_URL").unwrap(), 2);
    let migrator = settings(Migrator::builder(migrations, pool)).build().unwrap();
    let done = match env::var("BOOT_DOWN_TO") {
        Ok(version) => down(&migrator, version).await,
        Err(_) => migrator.up().await,
    };
    match done {
        Ok(report) => {
            println!("{report}");
            println!("versions: {}", report.applied.len());
            println!(
                "waited_for: {}",
                report.waited_for.map_or(String::new(), |it| it.to_string())
            );
            ExitCode::SUCCESS
        }
        Err(err) => {
            eprintln!("{err:?}");
            ExitCode::FAILURE
        }
    }
}

async fn down(migrator: &Migrator, version: String) -> upfront::Result<Report> {
    let mut plan = migrator.plan_down(Target::To(version)).await?;
    migrator.apply(plan.accept_data_loss(true)).await
}

fn settings(mut it: upfront::Builder) -> upfront::Builder {
    let set = |name: &str| env::var(format!("BOOT_{name}")).ok();
    let milliseconds = |name| set(name).map(|it| Duration::from_millis(it.parse().unwrap()));
    if let Some(app) = set("APP") {
        it = it.app(app);
    }
    if let Some(schema) = set("SCHEMA") {
        it = it.search_path([schema.clone()]).schema(schema);
    }
    if let Some(limit) = milliseconds("WAIT_MS") {
        it = it.wait_timeout(limit);
    }
    if let Some(limit) = milliseconds("LOCK_MS") {
        it = it.lock_timeout(limit);
    }
    if set("AHEAD").as_deref() == Some("refuse") {
        it = it.on_newer_database(NewerDatabase::Refuse);
    }
    if set("SESSION_POOLER").is_some() {
        it = it.session_pooler(true);
    }
    it
}

/// The folder's files, and those of `down/`.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let list = |below: &str| {
        let entries = fs::read_dir(folder.join(below)).into_iter().flatten().flatten();
        let file = |it: fs::DirEntry| {
            let name = it.file_name().into_string().unwrap();
            let name = if below.is_empty() { name } else { format!("{below}/{name}") };
            it.path().is_file().then(|| (name, fs::read(it.path()).unwrap()))
        };
        entries.filter_map(file).collect::<Vec<_>>()
    };
    [list(""), list("down")].concat()
}
