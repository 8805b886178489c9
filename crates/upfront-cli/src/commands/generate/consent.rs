//! What a migration may take away.

use upfront::cli::{Exit, Output};
use upfront_schema::{Change, ConsentPolicy, Identity, Pattern, Removal};

use super::{
    options::{Allowed, Removals},
    questions::option,
};
use crate::output::failure::{Failure, Note};

/// What was agreed to.
pub(super) struct Consent<'a> {
    /// Which removals need consent.
    pub(super) policy: ConsentPolicy,
    pub(super) allowed: &'a [Allowed],
    /// What the options say, and the answers on a terminal.
    pub(super) removals: Removals,
    /// What is kept, as nothing allows to drop it.
    pub(super) kept: Vec<Removal>,
}

/// The removals of a change, by what was said of them.
pub(super) struct SortedRemovals {
    /// `--keep` names them.
    pub(super) keep: Vec<Removal>,
    /// They need consent and nothing gives it.
    pub(super) open: Vec<Removal>,
}

impl Consent<'_> {
    /// What is not managed never goes, even if it is `stuck`.
    pub(super) fn sort(&self, change: &Change<'_>, stuck: &[(Identity, String)]) -> SortedRemovals {
        let is_kept = |it: &Removal| is_named(&self.removals.keep, it);
        let is_stuck = |it: &Removal| stuck.iter().any(|(id, _)| *id == it.id);
        let mut keep = change.removals(ConsentPolicy::Everything);
        keep.retain(|it| is_kept(it) && !is_stuck(it));
        let mut open = change.removals(self.policy);
        open.retain(|it| !is_kept(it) && !is_stuck(it) && !self.is_agreed(change, it));
        SortedRemovals { keep, open }
    }

    fn is_agreed(&self, change: &Change<'_>, it: &Removal) -> bool {
        let has = |what| self.allowed.contains(&what);
        is_named(&self.removals.drop, it)
            || has(Allowed::Drop)
            || has(Allowed::DataLoss) && it.loses.is_some()
            || change.is_rename_denied(&it.id).unwrap_or_default()
    }

    /// What is lost with the objects that `--drop` or an answer names.
    pub(super) fn agreed_losses(&self, change: &Change<'_>) -> Vec<String> {
        let all = change.removals(ConsentPolicy::Everything).into_iter();
        all.filter(|it| is_named(&self.removals.drop, it)).filter_map(|it| it.loses).collect()
    }

    /// The options that name nothing.
    pub(super) fn check(&self, change: &Change<'_>, kept: &[Removal]) -> Result<(), Failure> {
        let all = change.removals(ConsentPolicy::Everything);
        let is_there = |it: &Pattern| {
            all.iter().chain(kept).any(|removal| is_named(std::slice::from_ref(it), removal))
        };
        let options = [("drop", &self.removals.drop), ("keep", &self.removals.keep)];
        let given = options.iter().flat_map(|(name, all)| all.iter().map(move |it| (*name, it)));
        match given.into_iter().find(|(_, it)| !is_there(it)) {
            None => Ok(()),
            Some((name, it)) => {
                let option = option(name, &it.to_string());
                Err(Failure::mistake(format!("`{option}`: no such object would be dropped")))
            }
        }
    }
}

fn is_named(patterns: &[Pattern], it: &Removal) -> bool {
    let path = it.path();
    patterns.iter().any(|pattern| pattern.names(it.id.kind, &path))
}

/// Nothing is written before these are agreed to.
pub(super) fn refused(open: &[Removal]) -> Failure {
    let loses = open.iter().any(|it| it.loses.is_some());
    let exit = if loses { Exit::DataLoss } else { Exit::Refused };
    Failure::of(exit, open.iter().map(question).collect())
}

fn question(it: &Removal) -> Note {
    let pattern = it.pattern();
    let (drop, keep) = (option("drop", &pattern), option("keep", &pattern));
    let why = match (it.is_of_object(), &it.loses) {
        (true, None) => "the desired schema does not have it".to_owned(),
        (true, Some(it)) => format!("the desired schema does not have it, and {it} would be lost"),
        (false, _) => "it protects rows".to_owned(),
    };
    let title = format!("{} needs consent: {why}", it.action());
    let all = match it.loses {
        Some(_) => "--allow drop --allow data-loss",
        None => "--allow drop",
    };
    Note::new(title).help(format!("to agree: `{drop}`, or `{all}` for all")).help(format!(
        "to keep it: `{keep}`, or for good `exclude = [{}]` below `[desired]`",
        quoted(&pattern)
    ))
}

/// Says what is kept and would be dropped with consent.
pub(super) fn warn(kept: &[Removal], output: &Output) {
    if kept.is_empty() {
        return;
    }
    let names: Vec<_> = kept.iter().map(Removal::pattern).collect();
    let excluded: Vec<_> = names.iter().map(|it| quoted(it)).collect();
    output.warning(&format!(
        "kept, because the desired schema lacks it and nothing allows dropping it:\n  {}\n  help: \
         to drop: `--allow drop`, or one by one `{}`\n  help: to keep for good, below \
         `[desired]`: `exclude = [{}]`",
        names.join("\n  "),
        option("drop", &names[0]),
        excluded.join(", ")
    ));
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}
