//! Questions on a terminal, and their answers as the options that say the same.

use std::io::{self, IsTerminal};

use inquire::{InquireError, Select, Text, ui::RenderConfig};
use upfront::cli::{Exit, Output};
use upfront_schema::{Candidate, Change, Decisions, Identity, Question, Removal};

use super::{
    options::{Allowed, Removals},
    questions::{asked, option, own_name, path},
};
use crate::{config::Project, output::failure::Failure};

/// Whether somebody is there to answer.
pub(super) fn is_possible(output: &Output) -> bool {
    let is_possible = !output.is_json() && io::stdin().is_terminal() && Output::is_watched();
    if is_possible && !output.has_colors() {
        inquire::set_global_render_config(RenderConfig::empty());
    }
    is_possible
}

/// The answer that is written to the settings.
const EXCLUDE: &str = "exclude";

/// Options, as they were chosen.
#[derive(Default)]
pub(super) struct ChosenOptions(Vec<(&'static str, String)>);

impl ChosenOptions {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Adds them to what was said before.
    pub(super) fn add_to(&self, answers: &mut Decisions) -> Result<(), Failure> {
        for (name, value) in &self.0 {
            match *name {
                "rename" => answers.renames.push(value.parse()?),
                "no-rename" => answers.not_renamed.push(value.clone()),
                _ => answers.fills.push(value.parse()?),
            }
        }
        Ok(())
    }

    /// Adds the objects that are dropped or kept.
    pub(super) fn agree(&self, removals: &mut Removals) -> Result<(), Failure> {
        for (name, value) in &self.0 {
            let pattern = value.parse();
            let pattern = pattern?;
            match *name {
                "drop" => removals.drop.push(pattern),
                _ => removals.keep.push(pattern),
            }
        }
        Ok(())
    }

    /// Prints the options that say the same, and writes what is never asked again to the settings.
    pub(super) fn write(
        &self,
        project: &Project,
        is_dry: bool,
        output: &Output,
    ) -> Result<(), Failure> {
        let is_excluded = |(name, _): &&(&str, String)| *name == EXCLUDE;
        let excluded: Vec<_> =
            self.0.iter().filter(is_excluded).map(|(_, it)| it.as_str()).collect();
        if !excluded.is_empty() && !is_dry {
            output.note(&format!("wrote `exclude` to {}", project.exclude_more(&excluded)?));
        }
        if self.0.len() > excluded.len() {
            output.note(&self.as_options());
        }
        Ok(())
    }

    /// What does the same where nobody can be asked.
    fn as_options(&self) -> String {
        let options = self.0.iter().filter(|(name, _)| *name != EXCLUDE);
        let options: Vec<_> = options.map(|(name, value)| option(name, value)).collect();
        format!("the same without questions: {}", options.join(" "))
    }
}

/// Asks what the schemas leave open: which objects have a new name, and only when that is clear
/// what rows get.
pub(super) fn all(change: &Change<'_>, allowed: &[Allowed]) -> Result<ChosenOptions, Failure> {
    let candidates = change.candidates()?;
    if !candidates.is_empty() {
        return renames(candidates);
    }
    let mut chosen = ChosenOptions::default();
    for it in change.questions()? {
        let Question::Fill(column) = &it else { continue };
        if !allowed.contains(&Allowed::MayFail) {
            chosen.0.push(("fill", format!("{}={}", path(column), fill(column, &it)?)));
        }
    }
    Ok(chosen)
}

/// Each new name is given away once.
fn renames(candidates: Vec<Candidate>) -> Result<ChosenOptions, Failure> {
    let mut chosen = ChosenOptions::default();
    let mut taken = Vec::new();
    for it in candidates {
        let mut new: Vec<_> = it.new.iter().filter(|it| !taken.contains(*it)).cloned().collect();
        new.sort_by(|a, b| alike(&it.old, b).total_cmp(&alike(&it.old, a)));
        if new.is_empty() {
            continue;
        }
        match rename(&it.old, &new)? {
            Some(new) => {
                let to = own_name(&new);
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

/// Asks for each object whether it is dropped.
pub(super) fn removals(all: &[Removal]) -> Result<ChosenOptions, Failure> {
    let mut chosen = ChosenOptions::default();
    for (it, rest) in all.iter().zip((1..=all.len()).rev()) {
        match removal(it, rest)? {
            RemovalChoice::Drop => chosen.0.push(("drop", it.pattern())),
            RemovalChoice::Keep => chosen.0.push(("keep", it.pattern())),
            RemovalChoice::Exclude => chosen.0.push((EXCLUDE, it.pattern())),
            RemovalChoice::ExcludeAll => {
                let rest = all[all.len() - rest..].iter();
                chosen.0.extend(rest.map(|it| (EXCLUDE, it.pattern())));
                break;
            }
        }
    }
    Ok(chosen)
}

#[derive(Clone, Copy)]
enum RemovalChoice {
    Drop,
    Keep,
    Exclude,
    ExcludeAll,
}

fn removal(it: &Removal, rest: usize) -> Result<RemovalChoice, Failure> {
    let loss = it.loses.as_ref().map(|it| format!(", with {it}")).unwrap_or_default();
    let mut choices = vec![
        (RemovalChoice::Keep, "keep it".to_owned()),
        (RemovalChoice::Exclude, "keep it, and never ask again".to_owned()),
        (RemovalChoice::Drop, format!("agree{loss}")),
    ];
    if rest > 1 {
        choices.push((RemovalChoice::ExcludeAll, format!("keep all {rest}, and never ask again")));
    }
    let why = if it.is_of_object() { "The desired schema lacks it" } else { "It protects rows" };
    let question = format!("{why}: {}?", it.action());
    let labels = choices.iter().map(|(_, it)| it.clone()).collect();
    let answer = Select::new(&question, labels)
        .without_filtering()
        .with_help_message("↑ and ↓ choose, enter takes it, escape stops")
        .raw_prompt();
    Ok(choices[answer.map_err(stopped)?.index].0)
}

fn stopped(err: InquireError) -> Failure {
    match err {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            Failure::new(Exit::Refused, "stopped, and nothing was written")
        }
        err => Failure::new(Exit::Failed, format!("cannot ask on this terminal: {err}")),
    }
}
