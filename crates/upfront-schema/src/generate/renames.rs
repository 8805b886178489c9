//! Renames that the author or the desired schema states, and their execution.

use postgres::error::SqlState;
use upfront_scratch::Database;

use crate::{
    catalog::{extract::extract, facts::Facts, identity::Identity, scope::Scope},
    error::{Error, Result},
    generate::{
        annotations::RenameAnnotation,
        decisions::{Decisions, Rename},
        enum_values, lookup,
        rename_detection::dependent_renames,
        renaming::{Part, Renaming},
    },
    kinds::object_kind::ObjectKind,
    scratch::session,
};

/// Executes the stated renames on a copy of the first schema, and those that follow from them: of
/// constraints, indexes and sequences that differ in their names alone.
pub(crate) fn apply_requested(
    copy: &Database<'_>,
    wanted: &Facts,
    scope: &Scope,
    answers: &Decisions,
) -> Result<Vec<Renaming>> {
    let annotated = answers.annotated.renames(wanted)?;
    let mut ordered: Vec<_> = annotated.iter().map(RenameSource::Annotations).collect();
    ordered.extend(answers.renames.iter().map(RenameSource::Option));
    // What holds others goes first.
    ordered.sort_by_key(RenameSource::depth);
    let mut done = Vec::new();
    let mut have = extract(&mut session::open(copy)?, scope)?;
    for it in ordered {
        let Some(renaming) = it.resolve(&have, wanted, &done, answers)? else { continue };
        execute(copy, std::slice::from_ref(&renaming))?;
        done.push(renaming);
        have = extract(&mut session::open(copy)?, scope)?;
    }
    while !done.is_empty() {
        let next = dependent_renames(&have, wanted);
        if next.is_empty() {
            break;
        }
        execute(copy, &next)?;
        done.extend(next);
        have = extract(&mut session::open(copy)?, scope)?;
    }
    Ok(done)
}

/// Where a rename is stated.
enum RenameSource<'a> {
    Option(&'a Rename),
    Annotations(&'a RenameAnnotation),
}

impl RenameSource<'_> {
    fn depth(&self) -> usize {
        match self {
            Self::Option(it) => it.old.len(),
            Self::Annotations(it) => it.new.names.len(),
        }
    }

    /// Returns nothing if the object has its new name already, or if an option overrides it.
    fn resolve(
        &self,
        have: &Facts,
        wanted: &Facts,
        done: &[Renaming],
        answers: &Decisions,
    ) -> Result<Option<Renaming>> {
        match self {
            Self::Option(it) => resolve(it, have, wanted, done).map(Some),
            Self::Annotations(it) if is_overridden(it, done, answers) => Ok(None),
            Self::Annotations(it) => resolve_annotated(it, have, wanted),
        }
    }
}

/// Whether an option speaks of the old name or of the new one.
fn is_overridden(it: &RenameAnnotation, done: &[Renaming], answers: &Decisions) -> bool {
    let old = it.old();
    let is_old = |given: &[String]| lookup::is_named(&old.names, &under_new_names(given, done));
    let denied = answers.not_renamed.iter().filter_map(|it| lookup::parts(it));
    let mut renames = answers.renames.iter();
    denied.into_iter().any(|given| is_old(&given))
        || renames.any(|told| is_old(&told.old) || told.new == it.new.name() && told.is_beside(it))
}

impl Rename {
    /// Whether the other name would be one within the same object.
    fn is_beside(&self, it: &RenameAnnotation) -> bool {
        let owner = |names: &[String]| names[..names.len() - 1].to_vec();
        lookup::is_named(&owner(&it.new.names), &owner(&self.old))
    }
}

fn resolve_annotated(
    it: &RenameAnnotation,
    have: &Facts,
    wanted: &Facts,
) -> Result<Option<Renaming>> {
    let old = it.old();
    if is_there(have, &it.new) || !is_there(have, &old) {
        return Ok(None);
    }
    if is_there(wanted, &old) {
        let message =
            format!("{old} is in the desired schema too, so it was not renamed to {}", it.new);
        return Err(it.at.error(message));
    }
    Ok(Some(Renaming { id: old, to: it.new.name().to_owned(), part: Part::Name }))
}

/// A value of an enum is no object of its own.
fn is_there(facts: &Facts, id: &Identity) -> bool {
    match id.kind {
        ObjectKind::EnumValue => enum_values::is_there(facts, id),
        _ => facts.find(id).is_some(),
    }
}

/// Renames these, in order.
pub(crate) fn execute(copy: &Database<'_>, all: &[Renaming]) -> Result<()> {
    let mut client = session::open(copy)?;
    for it in all {
        let sql = it.statement().sql;
        session::run(&mut client, &sql)
            .map_err(Error::postgres(format!("rename {} to `{}`", it.id, it.to)))?;
    }
    Ok(())
}

/// Renames those that are there, in order; which they are.
pub(crate) fn execute_existing(copy: &Database<'_>, all: Vec<Renaming>) -> Result<Vec<Renaming>> {
    let mut client = session::open(copy)?;
    let mut done = Vec::new();
    for it in all {
        match session::run(&mut client, &it.statement().sql) {
            Ok(()) => done.push(it),
            Err(err) if is_unknown(&err) => {}
            Err(err) => {
                return Err(Error::postgres(format!("rename {} to `{}`", it.id, it.to))(err));
            }
        }
    }
    Ok(done)
}

fn is_unknown(err: &postgres::Error) -> bool {
    let codes = [
        SqlState::UNDEFINED_OBJECT,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::UNDEFINED_FUNCTION,
    ];
    err.code().is_some_and(|it| codes.contains(it))
}

fn resolve(it: &Rename, have: &Facts, wanted: &Facts, done: &[Renaming]) -> Result<Renaming> {
    let wrong = |why: String| lookup::not(it.to_string(), why);
    let old = under_new_names(&it.old, done);
    let all = ObjectKind::ALL.iter().copied();
    let kinds: Vec<_> = all.filter(|kind| kind.is_renamed_by_option()).collect();
    let id = match lookup::find(have, &kinds, &old) {
        Ok(fact) => fact.id.clone(),
        Err(why) => enum_values::find(have, &old).ok_or_else(|| wrong(why))?,
    };
    let renaming = Renaming { id: id.clone(), to: it.new.clone(), part: Part::Name };
    let new = renaming.renamed();
    if is_there(have, &new) {
        return Err(wrong(format!("{new} is there already")));
    }
    if !is_there(wanted, &new) {
        return Err(wrong(format!("{new} is not in the desired schema")));
    }
    if is_there(wanted, &id) {
        return Err(wrong(format!("{id} is in the desired schema too")));
    }
    Ok(renaming)
}

/// A column may be called by its table's old name or by its new one.
fn under_new_names(given: &[String], done: &[Renaming]) -> Vec<String> {
    let mut name = given.to_vec();
    for it in done {
        let length = name.len();
        if length > 1 && lookup::is_named(&it.id.names, &name[..length - 1]) {
            name[length - 2].clone_from(&it.to);
        }
    }
    name
}
