//! The desired schema, with what options, comments and answers on a terminal say.

use upfront::cli::Output;
use upfront_schema::{Change, ConsentPolicy, Decisions, Question, Removal};
use upfront_scratch::Database;

use crate::{
    config::Project,
    output::{failure::Failure, progress::Stage},
    scratch::{
        desired::{BuiltSchema, DesiredSources},
        scope,
    },
};

use super::{
    consent::{self, Consent, SortedRemovals},
    options::Arguments,
    prompt::{self, ChosenOptions},
};

/// Where a migration leads, once nothing is open.
pub(super) struct DesiredSchema<'s> {
    pub(super) wanted: BuiltSchema<'s>,
    pub(super) answers: Decisions,
    /// What is lost by consent to each object.
    pub(super) agreed_losses: Vec<String>,
    /// What the desired schema lacks and nothing allows to drop.
    pub(super) kept: Vec<String>,
    refused: Vec<Removal>,
}

impl DesiredSchema<'_> {
    /// Nothing else is to be done than what nobody agreed to.
    pub(super) fn refuse_if_kept(&self) -> Result<(), Failure> {
        match self.refused.is_empty() {
            true => Ok(()),
            false => Err(consent::refused(&self.refused)),
        }
    }

    pub(super) fn warn_of_kept(&self, output: &Output) {
        consent::warn(&self.refused, output);
    }
}

/// What is known after a look at a change.
enum Next {
    /// Build the schema again.
    Again,
    Done,
}

/// What is asked for, and what is known.
struct Search<'a> {
    arguments: &'a Arguments,
    project: &'a Project,
    output: &'a Output,
    answers: Decisions,
    consent: Consent<'a>,
    chosen: ChosenOptions,
    /// What options and answers keep.
    kept: Vec<Removal>,
}

impl Arguments {
    /// The schema that is wanted, and what is said by options, by annotations and on a terminal.
    pub(super) fn goal<'s>(
        &self,
        project: &Project,
        parts: &DesiredSources<'s>,
        before: &Database<'_>,
        output: &Output,
    ) -> Result<DesiredSchema<'s>, Failure> {
        let mut answers = self.answers.read();
        answers.annotated = parts.annotated()?;
        let removals = self.removals.clone();
        let (policy, kept) = (parts.policy, Vec::new());
        let consent = Consent { policy, allowed: &self.allow, removals, kept };
        let (chosen, kept) = (ChosenOptions::default(), Vec::new());
        Search { arguments: self, project, output, answers, consent, chosen, kept }
            .run(parts, before)
    }
}

impl Search<'_> {
    fn run<'s>(
        mut self,
        parts: &DesiredSources<'s>,
        before: &Database<'_>,
    ) -> Result<DesiredSchema<'s>, Failure> {
        loop {
            let stage = Stage::on_terminal(self.output, "comparing the schemas");
            let wanted = parts.build(self.project, before, &self.answers)?;
            if self.arguments.check {
                return Ok(self.end(wanted, Vec::new()));
            }
            let answers = self.answers.clone();
            let scope = scope::scope(self.project, &[before, &wanted.database])?;
            let change = Change::between(before, &wanted.database, &scope, &answers);
            let change = change?;
            drop(stage);
            if let Next::Done = self.look(&change, &wanted)? {
                self.consent.check(&change, &self.kept)?;
                self.chosen.write(self.project, self.arguments.dry_run, self.output)?;
                let losses = self.consent.agreed_losses(&change);
                return Ok(self.end(wanted, losses));
            }
        }
    }

    fn end(self, wanted: BuiltSchema<'_>, agreed_losses: Vec<String>) -> DesiredSchema<'_> {
        let refused = self.consent.kept;
        let kept = refused.iter().map(Removal::pattern).collect();
        DesiredSchema { wanted, answers: self.answers, agreed_losses, kept, refused }
    }

    fn look(&mut self, change: &Change<'_>, wanted: &BuiltSchema<'_>) -> Result<Next, Failure> {
        let is_asking = prompt::is_possible(self.output);
        if is_asking {
            let more = prompt::all(change, &self.arguments.allow)?;
            if !more.is_empty() {
                more.add_to(&mut self.answers)?;
                self.chosen.extend(more);
                return Ok(Next::Again);
            }
        } else if has_renames(change)? {
            return Ok(Next::Done);
        }
        let sorted = self.consent.sort(change, &wanted.stuck);
        if sorted.open.is_empty() || !is_asking {
            return self.keep(change, sorted);
        }
        let more = prompt::removals(&sorted.open)?;
        more.agree(&mut self.consent.removals)?;
        self.chosen.extend(more);
        let sorted = self.consent.sort(change, &wanted.stuck);
        self.keep(change, sorted)
    }

    /// Keeps what nothing allows to drop, unless that has to be agreed to.
    fn keep(&mut self, change: &Change<'_>, sorted: SortedRemovals) -> Result<Next, Failure> {
        let mut keep: Vec<_> = sorted.keep.iter().collect();
        if !sorted.open.is_empty() {
            if self.consent.policy == ConsentPolicy::Protection {
                return Err(consent::refused(&sorted.open));
            }
            keep.extend(&sorted.open);
        }
        if keep.is_empty() {
            return Ok(Next::Done);
        }
        self.answers.kept.extend(change.keeping(&keep));
        self.kept.extend(sorted.keep);
        self.consent.kept.extend(sorted.open);
        Ok(Next::Again)
    }
}

/// Whether something may have another name: then what is dropped is not known yet.
fn has_renames(change: &Change<'_>) -> Result<bool, Failure> {
    let questions = change.questions()?;
    Ok(questions.iter().any(|it| matches!(it, Question::Rename(..))))
}
