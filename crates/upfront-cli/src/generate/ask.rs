//! Questions on a terminal, and their answers as the options that say the same.

use std::io::{self, IsTerminal};

use inquire::{InquireError, Select, Text};
use upfront::cli::{Exit, Output};
use upfront_schema::{Answers, Candidate, Change, Identity, Question};

use super::{Allowed, asked, option, path};
use crate::{failure::Failure, scratch};

/// Whether somebody is there to answer.
pub(super) fn is_possible(output: &Output) -> bool {
    !output.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Options, as they were chosen.
#[derive(Default)]
pub(super) struct Chosen(Vec<(&'static str, String)>);

impl Chosen {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Adds them to what was said before.
    pub(super) fn add_to(&self, answers: &mut Answers) -> Result<(), Failure> {
        let invalid = |err: upfront_schema::Error| scratch::of_schema(&err);
        for (name, value) in &self.0 {
            match *name {
                "rename" => answers.renames.push(value.parse().map_err(invalid)?),
                "no-rename" => answers.not_renamed.push(value.clone()),
                _ => answers.fills.push(value.parse().map_err(invalid)?),
            }
        }
        Ok(())
    }

    /// What does the same where nobody can be asked.
    pub(super) fn told(&self) -> String {
        let options: Vec<_> = self.0.iter().map(|(name, value)| option(name, value)).collect();
        format!("the same without questions: {}", options.join(" "))
    }
}

/// Asks what the schemas leave open: which objects have a new name, and only when that is clear
/// what rows get.
pub(super) fn all(change: &Change<'_>, allowed: &[Allowed]) -> Result<Chosen, Failure> {
    let candidates = change.candidates().map_err(|err| scratch::of_schema(&err))?;
    if !candidates.is_empty() {
        return renames(candidates);
    }
    let mut chosen = Chosen::default();
    for it in change.questions().map_err(|err| scratch::of_schema(&err))? {
        let Question::Fill(column) = &it else { continue };
        if !allowed.contains(&Allowed::MayFail) {
            chosen.0.push(("fill", format!("{}={}", path(column), fill(column, &it)?)));
        }
    }
    Ok(chosen)
}

/// Each new name is given away once.
fn renames(candidates: Vec<Candidate>) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    let mut taken = Vec::new();
    for it in candidates {
        let mut new: Vec<_> = it.new.iter().filter(|it| !taken.contains(*it)).cloned().collect();
        new.sort_by(|a, b| alike(&it.old, b).total_cmp(&alike(&it.old, a)));
        if new.is_empty() {
            continue;
        }
        match rename(&it.old, &new)? {
            Some(new) => {
                let to = super::own_name(&new);
                chosen.0.push(("rename", format!("{}={to}", path(&it.old))));
                taken.push(new);
            }
            None => chosen.0.push(("no-rename", path(&it.old))),
        }
    }
    Ok(chosen)
}

fn alike(old: &Identity, new: &Identity) -> f64 {
    let name = |it: &Identity| it.names.last().cloned().unwrap_or_default();
    strsim::jaro_winkler(&name(old), &name(new))
}

/// Which of them it is; none if it is gone.
fn rename(old: &Identity, new: &[Identity]) -> Result<Option<Identity>, Failure> {
    let mut choices: Vec<_> = new.iter().map(|it| format!("it is {} now", path(it))).collect();
    choices.push("it is dropped".to_owned());
    let question = format!("What became of {old}?");
    let answer = Select::new(&question, choices)
        .without_filtering()
        .with_help_message("↑ and ↓ choose, enter takes it, escape stops")
        .raw_prompt();
    Ok(new.get(answer.map_err(stopped)?.index).cloned())
}

fn fill(column: &Identity, question: &Question) -> Result<String, Failure> {
    let text = format!("{column} is NOT NULL. What do the rows get that are there?");
    let answer = Text::new(&text)
        .with_help_message("an expression of SQL, such as 0, '' or lower(email); nothing stops")
        .prompt();
    match answer.map_err(stopped)?.trim() {
        "" => Err(Failure::of(Exit::Refused, vec![asked(question)])),
        it => Ok(it.to_owned()),
    }
}

fn stopped(err: InquireError) -> Failure {
    match err {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            Failure::new(Exit::Refused, "stopped, and nothing was written")
        }
        err => Failure::new(Exit::Failed, format!("cannot ask on this terminal: {err}")),
    }
}
