//! A small pair for each kind: both sides as SQL, and proven, plainly and with online forms.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::{Path, PathBuf};

use postgres::{Client, NoTls};
use upfront_schema::{Hazard, Options, Probe, Proof, Source, Strategy, compare, prove, prove_up};
use upfront_scratch::{Database, Server};

/// Declares a test for each pair, so that a failure has a name and one can be run alone.
///
/// Both checks of a pair are one test: nextest starts a process, and so a server, for each.
macro_rules! pairs {
    ($($test:ident $folder:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check($folder);
            }
        )*

        const PAIRS: &[&str] = &[$($folder,)*];
    };
}

pairs! {
    base_types "base-types",
    checks "checks",
    column_attributes "column-attributes",
    column_types "column-types",
    columns "columns",
    comments "comments",
    composite_and_range "composite-and-range",
    composite_stored "composite-stored",
    domains "domains",
    enum_add "enum-add",
    enum_swap "enum-swap",
    exclusion "exclusion",
    foreign_data "foreign-data",
    foreign_keys "foreign-keys",
    generated "generated",
    identity "identity",
    indexes "indexes",
    inheritance "inheritance",
    inherited_expressions "inherited-expressions",
    key_options "key-options",
    keys "keys",
    kind_of_a_name "kind-of-a-name",
    names "names",
    not_null "not-null",
    online_half_made_index "online-half-made-index",
    online_keys "online-keys",
    online_not_null "online-not-null",
    online_partitioned_index "online-partitioned-index",
    online_successors "online-successors",
    operator_classes "operator-classes",
    own_defaults "own-defaults",
    owners "owners",
    partition_subtree "partition-subtree",
    partitions "partitions",
    policies "policies",
    privileges "privileges",
    publications "publications",
    rare_kinds "rare-kinds",
    routines "routines",
    schema_extension "schema-extension",
    sequence_direction "sequence-direction",
    sequence_shared "sequence-shared",
    sequences "sequences",
    serial_to_identity "serial-to-identity",
    table_attributes "table-attributes",
    tangle_default_privileges "tangle-default-privileges",
    tangle_enum_everywhere "tangle-enum-everywhere",
    tangle_fk_bigint "tangle-fk-bigint",
    tangle_function_signature "tangle-function-signature",
    tangle_inherit_deep "tangle-inherit-deep",
    tangle_names_trade "tangle-names-trade",
    tangle_partition_tree "tangle-partition-tree",
    tangle_pk_swap "tangle-pk-swap",
    triggers "triggers",
    unlogged_keys "unlogged-keys",
    view_column_grants "view-column-grants",
    views "views",
}

#[test]
fn every_folder_is_listed() {
    let entries = fs::read_dir(folder("")).unwrap().map(|it| it.unwrap().path());
    let pairs = entries.filter(|it| it.join("old.sql").exists());
    let name = |it: PathBuf| it.file_name().unwrap().to_string_lossy().into_owned();
    let mut names: Vec<_> = pairs.map(name).collect();
    names.sort();
    assert_eq!(names, PAIRS);
}

fn check(name: &str) {
    let server = Server::shared().unwrap();
    if server.version().major() < since(name) {
        return;
    }
    let options = Options::default();
    let load = |file| {
        let source = Source::Sql(folder(name).join(file));
        source.load(server, &options.scope).unwrap()
    };
    let (old, new) = (load("old.sql"), load("new.sql"));
    turns_into_the_other_and_back(name, &old, &new);
    prints_so_that_it_loads(&new);
}

fn prints_so_that_it_loads(whole: &Database<'_>) {
    let (server, options) = (whole.server(), Options::default());
    let plan = prove_up(&server.database().unwrap(), whole, &options);
    let printed = plan.unwrap_or_else(|err| panic!("{err}")).listing();
    let again = server.database().unwrap();
    again.psql(&printed).unwrap_or_else(|err| panic!("{err}\n{printed}"));
    assert_eq!(compare(whole, &again, &options.scope).unwrap(), []);
}

fn turns_into_the_other_and_back(name: &str, old: &Database<'_>, new: &Database<'_>) {
    let texts = [Strategy::Plain, Strategy::Online].map(|strategy| {
        let proof = prove(old, new, &Options { strategy, ..Options::default() });
        let proof = proof.unwrap_or_else(|err| panic!("{strategy:?}: {err}"));
        asks_in_place(old, &proof);
        [proof.up, proof.down].map(|it| match strategy {
            Strategy::Plain => it.to_string(),
            _ => it.script(),
        })
    });
    // The texts of expressions differ from version to version.
    if old.server().version().major() != since(name).max(15) {
        return;
    }
    let [plain, online] = texts;
    shows(name, &plain);
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

/// The first version that supports the syntax of a pair.
fn since(name: &str) -> u32 {
    let text = fs::read_to_string(folder(name).join("new.sql")).unwrap();
    let first = text.lines().next().and_then(|it| it.strip_prefix("-- since "));
    first.map_or(0, |it| it.parse().unwrap())
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs").join(name)
}
