//! A small pair for each kind: both sides as SQL, and proven, plainly and with online forms.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use postgres::{Client, NoTls};
use upfront_schema::{Hazard, Options, Probe, Proof, Source, Strategy, compare, prove, prove_up};
use upfront_scratch::{Database, Server};

/// A server is busy with one pair at a time, and there are two cores at least.
const AT_ONCE: usize = 2;

#[test]
fn turns_each_pair_into_the_other_and_back() {
    each(check);
}

#[test]
fn prints_each_schema_so_that_it_loads() {
    each(check_listing);
}

fn each(check: fn(&Server, &Path)) {
    let server = Server::shared().unwrap();
    let folders = folders();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(it) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            if server.version().major() >= since(it) {
                check(server, it);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
}

fn check_listing(server: &Server, folder: &Path) {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let options = Options::default();
    let whole = Source::Sql(folder.join("new.sql")).load(server, &options.scope).unwrap();
    let plan = prove_up(&server.database().unwrap(), &whole, &options);
    let printed = plan.unwrap_or_else(|err| panic!("{name}: {err}")).listing();
    let again = server.database().unwrap();
    again.psql(&printed).unwrap_or_else(|err| panic!("{name}: {err}\n{printed}"));
    assert_eq!(compare(&whole, &again, &options.scope).unwrap(), [], "{name}");
}

fn check(server: &Server, folder: &Path) {
    let source = |file| Source::Sql(folder.join(file));
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let options = Options::default();
    let load = |file| source(file).load(server, &options.scope).unwrap();
    let (old, new) = (load("old.sql"), load("new.sql"));
    let texts = [Strategy::Plain, Strategy::Online].map(|strategy| {
        let proof = prove(&old, &new, &Options { strategy, ..Options::default() });
        let proof = proof.unwrap_or_else(|err| panic!("{name}, {strategy:?}: {err}"));
        asks_in_place(&old, &proof);
        [proof.up, proof.down].map(|it| match strategy {
            Strategy::Plain => it.to_string(),
            _ => it.script(),
        })
    });
    // The texts of expressions differ from version to version.
    if server.version().major() != since(folder).max(15) {
        return;
    }
    let [plain, online] = texts;
    shows(&name, &plain);
    if online.iter().any(|it| it.contains("CONCURRENTLY") || it.contains("VALIDATE")) {
        shows(&format!("{name}-online"), &online);
    }
}

fn shows(name: &str, [up, down]: &[String; 2]) {
    let text = format!("{up}\n-- and back\n\n{down}");
    insta::with_settings!({ snapshot_path => "pairs/snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Each probe is SQL before the first statement or where its own stands, and finds nothing in empty
/// tables.
fn asks_in_place(old: &Database<'_>, proof: &Proof) {
    let copy = old.copy().unwrap();
    let open = |it: &Database<'_>| Client::connect(&it.url(), NoTls).unwrap();
    for plan in [&proof.up, &proof.down] {
        let start = copy.copy().unwrap();
        let (mut before, mut there) = (open(&start), open(&copy));
        for it in &plan.statements {
            for it in &it.hazards {
                if let Hazard::MayFail(_, Probe::Query(sql)) = it {
                    let row = before.query_one(sql, &[]).or_else(|_| there.query_one(sql, &[]));
                    assert_eq!(row.unwrap().get::<_, i64>(0), 0, "{sql}");
                }
            }
            there.batch_execute(&it.sql).unwrap();
        }
    }
}

/// The first version that knows the words of a pair.
fn since(folder: &Path) -> u32 {
    let text = fs::read_to_string(folder.join("new.sql")).unwrap();
    let first = text.lines().next().and_then(|it| it.strip_prefix("-- since "));
    first.map_or(0, |it| it.parse().unwrap())
}

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs");
    let entries = fs::read_dir(all).unwrap().map(|it| it.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|it| it.join("old.sql").exists()).collect();
    folders.sort();
    folders
}
