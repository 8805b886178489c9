//! Objects that stay under another name.

use std::collections::BTreeMap;

use postgres::error::SqlState;
use serde_json::Value;
use upfront_scratch::Database;

use crate::{
    catalog::{
        extract::extract,
        facts::{Fact, Facts},
        identity::Identity,
        scope::Scope,
    },
    diff::{
        effect::{Effect, EffectKind},
        plan::Statement,
    },
    error::{Error, Result},
    generate::{
        annotations::RenameAnnotation,
        decisions::{Decisions, Rename},
        enum_values, lookup,
    },
    kinds::{object_kind::ObjectKind, reference, registry, sequence},
    quote,
    scratch::session,
};

/// One step: an object, by its name before, and its own name after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    pub(crate) id: Identity,
    pub(crate) to: String,
    pub(crate) part: Part,
}

/// What of a name becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its own.
    Name,
    /// That of the schema around it.
    Schema,
    /// None: a schema is made for what moves into it.
    Made,
}

impl Renaming {
    /// The same the other way round.
    pub(crate) fn inverse(&self) -> Self {
        let old = match self.part {
            Part::Schema => self.id.names.first().cloned().unwrap_or_default(),
            Part::Name | Part::Made => self.id.name().to_owned(),
        };
        Self { id: self.renamed(), to: old, part: self.part }
    }

    /// The object by its name after.
    pub(crate) fn renamed(&self) -> Identity {
        let mut id = self.id.clone();
        let at = match self.part {
            Part::Schema => 0,
            Part::Name | Part::Made => id.names.len() - 1,
        };
        id.names[at].clone_from(&self.to);
        id
    }

    /// Whether a program may name it.
    pub(crate) fn is_breaking(&self) -> bool {
        !matches!(self.id.kind, ObjectKind::Index | ObjectKind::TableConstraint)
    }

    /// The statement that does it.
    pub(crate) fn statement(&self) -> Statement {
        let (old, new) = (quote::name(self.id.name()), quote::name(&self.to));
        let (noun, owner) = (self.id.kind.noun(), &self.id);
        let sql = match self.id.kind {
            _ if self.part == Part::Made => format!("CREATE SCHEMA {new}"),
            _ if self.part == Part::Schema => {
                format!("ALTER {noun} {} SET SCHEMA {new}", reference::reference(owner))
            }
            ObjectKind::Attribute => {
                format!("ALTER TYPE {} RENAME ATTRIBUTE {old} TO {new} CASCADE", owner.owner_path())
            }
            ObjectKind::Column | ObjectKind::TableConstraint => {
                format!("ALTER TABLE {} RENAME {noun} {old} TO {new}", owner.owner_path())
            }
            ObjectKind::EnumValue => {
                let (old, new) = (quote::literal(self.id.name()), quote::literal(&self.to));
                format!("ALTER TYPE {} RENAME VALUE {old} TO {new}", owner.owner_path())
            }
            _ => format!("ALTER {noun} {} RENAME TO {new}", reference::reference(owner)),
        };
        let (name, kind) = (self.id.name(), self.id.kind);
        let comment = match self.part {
            Part::Name => format!("Rename \"{name}\" {kind} to \"{}\"", self.to),
            Part::Schema => format!("Move \"{name}\" {kind} to schema \"{}\"", self.to),
            Part::Made => format!("Create \"{}\" schema", self.to),
        };
        let action = match self.part {
            Part::Made => EffectKind::Create,
            Part::Name | Part::Schema => EffectKind::Rename(self.to.clone()),
        };
        let effects = vec![Effect { action, id: self.id.clone() }];
        Statement { comment, sql, hazards: Vec::new(), effects, locks: Vec::new(), phase: 0 }
    }
}

/// Renames on a copy of the first schema what was said, and what only follows from that: the
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

/// Something that has a new name, by whom that is said.
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

/// What has another name and is otherwise as it should be, where there is no doubt what is what.
fn dependent_renames(have: &Facts, wanted: &Facts) -> Vec<Renaming> {
    let shape = |facts: &Facts, it: &Fact| match it.id.kind {
        ObjectKind::TableConstraint | ObjectKind::Index | ObjectKind::Sequence => {
            Some(own_shape(facts, it))
        }
        _ => None,
    };
    let mut all: Vec<_> = pairs(have, wanted, shape)
        .into_iter()
        .map(|(old, new)| Renaming {
            id: old.id.clone(),
            to: new.id.name().to_owned(),
            part: Part::Name,
        })
        .collect();
    all.extend(wanted.iter().filter_map(|new| identity_sequence(have, new)));
    all
}

/// Constraints and indexes that differ in their names alone: dropped and made again they would leave
/// their table without them for a time.
pub(crate) fn certain_renames(have: &Facts, wanted: &Facts) -> Vec<Renaming> {
    let shape = |facts: &Facts, it: &Fact| {
        let is_inherited = it.origin.is_some() && it.note("type") == Some("c");
        let is_one =
            matches!(it.id.kind, ObjectKind::TableConstraint | ObjectKind::Index) && !is_inherited;
        let is_there =
            |other: &Facts| facts.parent(it).is_some_and(|it| other.find(&it.id).is_some());
        (is_one && is_there(have) && is_there(wanted)).then(|| own_shape(facts, it))
    };
    let renaming = |(old, new): (&Fact, &Fact)| Renaming {
        id: old.id.clone(),
        to: new.id.name().to_owned(),
        part: Part::Name,
    };
    let all = pairs(have, wanted, shape).into_iter();
    all.filter(|(_, new)| is_free(have, new)).map(renaming).collect()
}

/// Whether no relation has the name. Those of constraints without an index are their table's.
fn is_free(have: &Facts, new: &Fact) -> bool {
    let slot = |it: &Fact| registry::relation_name(it);
    slot(new).is_none_or(|own| have.iter().all(|it| slot(it).as_ref() != Some(&own)))
}

/// Where it stands and how it is, without its own name.
fn own_shape(facts: &Facts, it: &Fact) -> String {
    let place = match it.id.kind {
        ObjectKind::Sequence => {
            facts.get(ObjectKind::SequenceOwner, &it.id.names).and_then(sequence::owning_column)
        }
        _ => None,
    };
    let parent = facts.parent(it).map(|it| it.id.path());
    let name = format!(" INDEX {} ON ", quote::name(it.id.name()));
    let attributes = Value::Object(it.attributes.clone()).to_string();
    let attributes = attributes.replace(&name.replace('"', "\\\""), " INDEX ON ");
    let schema = it.id.names.first();
    format!("{} {schema:?} {place:?} {parent:?} {attributes}", it.id.kind)
}

/// The sequence of an identity column is named after table and column.
fn identity_sequence(have: &Facts, new: &Fact) -> Option<Renaming> {
    let old = &have.all[have.find(&new.id).filter(|_| new.id.kind == ObjectKind::Column)?];
    new.text("identity").and(old.text("identity"))?;
    let (from, to) = (sequence_name(old)?, sequence_name(new)?);
    let differs = from != to && from.first() == to.first();
    differs.then(|| Renaming {
        id: Identity::new(ObjectKind::Sequence, &from),
        to: to[1].clone(),
        part: Part::Name,
    })
}

fn sequence_name(column: &Fact) -> Option<Vec<String>> {
    let options = column.attributes.get("identity_options");
    if let Some(it) = options.and_then(|it| it.get("name")).and_then(Value::as_str) {
        return lookup::parts(it).filter(|it| it.len() == 2);
    }
    let [schema, table, column] = column.id.names.as_slice() else { return None };
    Some(vec![schema.clone(), format!("{table}_{column}_seq")])
}

/// What looks like a rename: one that is gone and one that came, of one shape.
pub(crate) fn candidates(have: &Facts, wanted: &Facts) -> Vec<(Identity, Identity)> {
    let shape = |facts: &Facts, it: &Fact| match it.id.kind {
        ObjectKind::Table => {
            Some(format!("table {:?} {:?}", it.id.names.first(), columns(facts, it)))
                .filter(|_| !columns(facts, it).is_empty())
        }
        ObjectKind::Column => {
            Some(format!("column {:?} {:?}", it.id.owner_path(), it.text("type")))
                .filter(|_| is_in_both(have, wanted, it))
        }
        ObjectKind::Enum => Some(format!("enum {:?} {:?}", it.id.names.first(), it.attributes)),
        _ => None,
    };
    let pairs = pairs(have, wanted, shape);
    let pairs = pairs.into_iter().map(|(old, new)| (old.id.clone(), new.id.clone()));
    pairs.chain(enum_values::candidates(have, wanted)).collect()
}

/// Something that is gone, and what it may be called now.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// By its old name.
    pub old: Identity,
    /// What came and is like it.
    pub new: Vec<Identity>,
}

/// What is gone with all that came and is alike: a column of the same table and type, a table or an
/// enum that shares half of what is in it.
pub(crate) fn all_candidates(have: &Facts, wanted: &Facts) -> Vec<Candidate> {
    let came: Vec<_> = wanted.iter().filter(|it| have.find(&it.id).is_none()).collect();
    let one = |old: &Fact| {
        let alike = came.iter().filter(|new| is_alike(have, wanted, old, new));
        let new: Vec<_> = alike.map(|it| it.id.clone()).collect();
        (!new.is_empty()).then(|| Candidate { old: old.id.clone(), new })
    };
    have.iter().filter(|it| wanted.find(&it.id).is_none()).filter_map(one).collect()
}

fn is_alike(have: &Facts, wanted: &Facts, old: &Fact, new: &Fact) -> bool {
    let owner = |it: &Fact| it.id.names[..it.id.names.len() - 1].to_vec();
    if old.id.kind != new.id.kind || owner(old) != owner(new) {
        return false;
    }
    match old.id.kind {
        ObjectKind::Column => {
            let is_one = |it| is_in_both(have, wanted, it);
            is_one(old) && is_one(new) && old.text("type") == new.text("type")
        }
        ObjectKind::Table => shares_half(&columns(have, old), &columns(wanted, new)),
        ObjectKind::Enum => shares_half(&labels(old), &labels(new)),
        _ => false,
    }
}

fn labels(it: &Fact) -> BTreeMap<String, Value> {
    let all = it.attributes.get("labels").and_then(Value::as_array).into_iter().flatten();
    all.map(|it| (it.to_string(), Value::Null)).collect()
}

fn shares_half(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) -> bool {
    let shared = old.iter().filter(|(name, it)| new.get(*name) == Some(*it)).count();
    shared > 0 && 2 * shared >= old.len().max(new.len())
}

fn is_in_both(have: &Facts, wanted: &Facts, column: &Fact) -> bool {
    let is_in = |facts: &Facts| facts.get(ObjectKind::Table, &column.id.names[..2]).is_some();
    column.id.names.len() == 3 && column.origin.is_none() && is_in(have) && is_in(wanted)
}

fn columns(facts: &Facts, table: &Fact) -> BTreeMap<String, Value> {
    let within = |it: &&Fact| {
        it.id.kind == ObjectKind::Column
            && it.id.names[..it.id.names.len() - 1] == table.id.names[..]
    };
    let type_of = |it: &Fact| it.attributes.get("type").cloned().unwrap_or_default();
    facts.iter().filter(within).map(|it| (it.id.name().to_owned(), type_of(it))).collect()
}

/// What is only in the first with what is only in the second, where each is the only one of its
/// shape.
fn pairs<'a>(
    have: &'a Facts,
    wanted: &'a Facts,
    shape: impl Fn(&Facts, &Fact) -> Option<String>,
) -> Vec<(&'a Fact, &'a Fact)> {
    let mut shapes: BTreeMap<String, [Vec<&Fact>; 2]> = BTreeMap::new();
    for (side, facts, other) in [(0, have, wanted), (1, wanted, have)] {
        for it in facts.iter().filter(|it| other.find(&it.id).is_none()) {
            if let Some(shape) = shape(facts, it) {
                shapes.entry(shape).or_default()[side].push(it);
            }
        }
    }
    let one = |it: &[Vec<&'a Fact>; 2]| match [it[0].as_slice(), it[1].as_slice()] {
        [[old], [new]] => Some((*old, *new)),
        _ => None,
    };
    shapes.values().filter_map(one).collect()
}
