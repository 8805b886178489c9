//! One pair, checked.

use std::fs;
use std::path::{Path, PathBuf};

use postgres::{Client, NoTls};
use upfront_schema::{Options, Proof, Scope, Source, Strategy, extract, plan, prove};
use upfront_scratch::{Database, Server};

use crate::dump;
use crate::report::Outcome;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checks {
    Facts,
    FactsAndDumps,
}

pub(crate) struct Pair<'a> {
    folder: &'a Path,
}

impl<'a> Pair<'a> {
    pub(crate) fn at(folder: &'a Path) -> Self {
        Self { folder }
    }

    pub(crate) fn check(
        &self,
        server: &Server,
        strategy: Strategy,
        checks: Checks,
        show: bool,
    ) -> Outcome {
        let options = Options { strategy, ..Options::default() };
        let failure = self.try_check(server, &options, checks, show).err();
        let name = |path: Option<&Path>| {
            let name = path.and_then(Path::file_name).unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        Outcome {
            source: name(self.folder.parent()),
            name: format!("{}/{}", name(self.folder.parent()), name(Some(self.folder))),
            kinds: self.kinds(),
            strategy,
            failure,
        }
    }

    fn try_check(
        &self,
        server: &Server,
        options: &Options,
        checks: Checks,
        show: bool,
    ) -> Result<(), String> {
        let load = |file| {
            let source = Source::Sql(self.file(file));
            source.load(server, &options.scope).map_err(|err| format!("load: {err}"))
        };
        let (old, new) = (load("old.sql")?, load("new.sql")?);
        let proof = prove(&old, &new, options);
        if show {
            let (up, down) =
                (unproven(&old, &new, options)?, unproven(&new, &old, &options.reversed())?);
            println!("-- up\n{up}\n-- down\n{down}");
        }
        let proof = proof.map_err(|err| err.to_string())?;
        match checks {
            Checks::Facts => Ok(()),
            Checks::FactsAndDumps => observe(&old, &new, &proof),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The kinds that change, where the pair says so.
    fn kinds(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("case.json")).unwrap_or_default();
        let case: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let changes = case.get("changes").and_then(|it| it.as_object().cloned());
        changes.unwrap_or_default().keys().cloned().collect()
    }
}

/// The plan as it is, to be looked at.
fn unproven(a: &Database<'_>, b: &Database<'_>, options: &Options) -> Result<String, String> {
    let facts = |it: &Database<'_>| {
        let mut client = Client::connect(&it.url(), NoTls).map_err(|err| err.to_string())?;
        extract(&mut client, &Scope::default()).map_err(|err| err.to_string())
    };
    let plan = plan(&facts(a)?, &facts(b)?, options).map_err(|err| err.to_string())?;
    Ok(plan.script())
}

/// psql and `pg_dump` judge what was printed.
fn observe(old: &Database<'_>, new: &Database<'_>, proof: &Proof) -> Result<(), String> {
    let copy = old.copy().map_err(|err| err.to_string())?;
    copy.psql(&proof.up.script()).map_err(|err| format!("psql, up: {err}"))?;
    same(&copy, new).map_err(|it| format!("dump, up: {it}"))?;
    copy.psql(&proof.down.script()).map_err(|err| format!("psql, down: {err}"))?;
    same(&copy, old).map_err(|it| format!("dump, down: {it}"))
}

fn same(one: &Database<'_>, two: &Database<'_>) -> Result<(), String> {
    let dump = |it: &Database<'_>| it.schema().map_err(|err| err.to_string());
    let (first, second) = (dump(one)?, dump(two)?);
    if dump::difference(&first, &second).is_none() {
        return Ok(());
    }
    // Expressions may need one more round until they stay as they are.
    let again = |text: &str| {
        let fresh = one.server().database().map_err(|err| err.to_string())?;
        fresh.psql(text).map_err(|err| err.to_string())?;
        dump(&fresh)
    };
    match dump::difference(&again(&first)?, &again(&second)?) {
        None => Ok(()),
        Some(it) => Err(it),
    }
}
