//! Files that are seen to work before they are written.

use std::sync::Arc;

use upfront::cli::{Exit, Output};
use upfront_directory::{Directory, Migration};
use upfront_schema::{RoutineBodies, Scope};
use upfront_scratch::Database;

use super::{
    options::{Allowed, Arguments},
    report::{Generated, describe},
    summary::Line,
    text::File,
};
use crate::{
    config::{Project, folder::Folder},
    output::{
        failure::Failure,
        progress::{self, Stage},
    },
    scratch::{
        self,
        replay::{ReapplyResult, ReplayDatabase, title},
        row_test::{self, RowTestResult, Values, sequential},
        setup,
        staging::Staging,
    },
};

/// What is known once it is clear what the files are.
pub(super) struct ProvenChange<'a> {
    pub(super) project: &'a Project,
    pub(super) folder: &'a Folder,
    /// The migrations that there are.
    pub(super) directory: &'a Directory,
    pub(super) before: &'a Database<'a>,
    pub(super) wanted: &'a Database<'a>,
    pub(super) scope: &'a Scope,
    /// What is not managed, unless everything is.
    pub(super) left: Option<Vec<String>>,
    /// What is managed, missing in the desired schema and kept all the same.
    pub(super) kept: Vec<String>,
    pub(super) summary: Vec<Line>,
}

impl ProvenChange<'_> {
    /// Proves the files, and writes or prints them.
    pub(super) fn finish(
        self,
        arguments: &Arguments,
        mut files: Vec<File>,
        values: Values,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let staging = Staging::of(self.folder)?;
        for it in &files {
            it.write(&staging)?;
        }
        let trial = Trial { values, allowed: &arguments.allow, output };
        let proofs = self.prove(&staging, &mut files, &trial)?;
        // What is said of rows has come to the files since their sums were made.
        staging.directory()?;
        let written = match arguments.dry_run {
            true => Vec::new(),
            false => staging.install()?,
        };
        let Self { folder, left, kept, summary, .. } = self;
        let generated = Generated { written, files, summary, proofs, left, kept };
        output.result(&generated, || describe(&generated, folder));
        Ok(Exit::Done)
    }

    fn prove(
        &self,
        staging: &Staging,
        files: &mut [File],
        trial: &Trial<'_>,
    ) -> Result<Vec<String>, Failure> {
        let server = self.before.server();
        let directory = setup::replayable(self.project, server, staging.directory()?)?;
        let is_new = |it: &&Migration| files.iter().any(|file| file.name == it.file);
        let new: Vec<_> = directory.migrations().iter().filter(is_new).collect();
        let many = progress::count(new.len(), "file");
        let stage = Arc::new(Stage::begin(trial.output, &format!("proving {many}")));
        let database = scratch::copy(self.before)?;
        let mut replay_database =
            ReplayDatabase::on(self.project, database, &directory)?.within(self.scope.clone());
        let first = scratch::copy(&replay_database.database)?;
        let mut proofs = Vec::new();
        for ((&it, file), place) in new.iter().zip(files).zip(1..) {
            stage.step(|| format!("proving {} (file {place} of {})", title(it), new.len()));
            let wanted = (place == new.len()).then_some(self.wanted);
            let rows = self.prove_one(it, &mut replay_database, wanted, trial)?;
            file.warn(rows.warning(), staging)?;
            proofs.push(format!("{}: {rows}", title(it)));
        }
        if new.len() > 1 {
            stage.step(|| "proving the files one after the other".to_owned());
            let tried = sequential::try_on(&first, &new, self.scope)?;
            if let Some(why) = tried.up_fails().filter(|_| !trial.may_fail_with_rows()) {
                return Err(fails_with_rows("the files one after the other", why));
            }
            proofs.push(tried.to_string());
        }
        proofs.extend(self.compare(&replay_database)?);
        stage.step(|| format!("rolling back all {} migrations", directory.migrations().len()));
        let replay_database = replay_database.watched(Arc::clone(&stage));
        let of_downs = self.round_trip(&replay_database, &directory, &stage)?;
        drop(stage);
        if let Some(RollbackProblem::Wrong(it)) = &of_downs {
            trial.output.warning(&format!(
                "{it}\n  help: it is older than the new files, which are proven without it; \
                 `upfront verify` fails until it is corrected"
            ));
        }
        proofs.extend(of_downs.map(RollbackProblem::text));
        Ok(proofs)
    }

    fn prove_one(
        &self,
        it: &Migration,
        replay_database: &mut ReplayDatabase<'_, '_>,
        wanted: Option<&Database<'_>>,
        trial: &Trial<'_>,
    ) -> Result<RowTestResult, Failure> {
        let before = scratch::copy(&replay_database.database)?;
        let tried = replay_database.one(it, &before).and_then(|it| it).map_err(unproven)?;
        if let ReapplyResult::MeetsRows(why) = tried {
            return Err(unproven(why));
        }
        let rows = row_test::try_on(&before, it, self.scope, trial.values, wanted);
        let rows = rows.map_err(unproven)?;
        match rows.up_fails().filter(|_| !trial.may_fail_with_rows()) {
            Some(why) => Err(fails_with_rows(&title(it), &why.to_string())),
            None => Ok(rows),
        }
    }

    /// Compares what the files have made with what is wanted. There may be remarks.
    fn compare(&self, replay_database: &ReplayDatabase<'_, '_>) -> Result<Vec<String>, Failure> {
        let what = "the migration does not lead to the schema that is wanted";
        replay_database.expect(self.wanted, what, &self.folder.label).map_err(unproven)?;
        let remarks = upfront_schema::uncompared_differences(
            &replay_database.database,
            self.wanted,
            self.scope,
        );
        let mut remarks = remarks?;
        let bodies = RoutineBodies::read(self.before, self.scope)
            .and_then(|it| it.broken_since(&replay_database.database, self.scope));
        remarks.extend(bodies?);
        Ok(remarks)
    }

    /// Rolls back all migrations and applies them again. What is wrong without the new files is no
    /// fault of theirs.
    fn round_trip(
        &self,
        replay_database: &ReplayDatabase<'_, '_>,
        directory: &Directory,
        stage: &Arc<Stage>,
    ) -> Result<Option<RollbackProblem>, Failure> {
        if !directory.migrations().iter().all(|it| it.down.is_some()) {
            return Ok(Some(RollbackProblem::Missing));
        }
        let Err(failure) = replay_database.round_trip() else { return Ok(None) };
        if self.directory.migrations().is_empty() {
            return Err(unproven(failure));
        }
        let old = scratch::copy(self.before)?;
        let old = ReplayDatabase::on(self.project, old, self.directory)?.within(self.scope.clone());
        let Err(failure) = old.watched(Arc::clone(stage)).round_trip() else {
            return Err(unproven(failure));
        };
        let server = self.before.server();
        let replay_database = ReplayDatabase::new(self.project, server, self.directory)?;
        let found = replay_database.watched(Arc::clone(stage)).wrong_down(self.directory)?;
        let (what, at, why) = if let Some((title, why)) = found {
            (format!("the down script of `{title}` is wrong"), format!("`{title}`"), why)
        } else {
            let what = "not all down scripts work together".to_owned();
            (what, "the empty database".to_owned(), failure)
        };
        let what = format!("{what}: rolling back all migrations, at {at}: {}", why.line());
        Ok(Some(RollbackProblem::Wrong(what)))
    }
}

/// How files are tried.
struct Trial<'a> {
    values: Values,
    allowed: &'a [Allowed],
    output: &'a Output,
}

impl Trial<'_> {
    /// What fails for certain cannot be tried with rows either.
    fn may_fail_with_rows(&self) -> bool {
        let is_allowed = [Allowed::StructureOnly, Allowed::MayFail];
        is_allowed.iter().any(|it| self.allowed.contains(it))
    }
}

/// Why not all migrations were rolled back.
enum RollbackProblem {
    Missing,
    Wrong(String),
}

impl RollbackProblem {
    fn text(self) -> String {
        match self {
            Self::Missing => "some migrations have no down script, so the rollback to an empty \
                              database was not tried"
                .to_owned(),
            Self::Wrong(it) => it,
        }
    }
}

/// An up side that no made-up rows let through.
fn fails_with_rows(what: &str, why: &str) -> Failure {
    let failure = Failure::new(Exit::Refused, format!("{what} cannot be proven with rows: {why}"));
    let failure = failure.help(
        "if the rows in your databases allow it: `--allow structure-only` proves it on empty tables \
         alone",
    );
    unproven(failure)
}

fn unproven(failure: Failure) -> Failure {
    failure.more("nothing was written, as this was not proven")
}
