//! Objects that stay under another name.

use std::collections::BTreeMap;

use postgres::error::SqlState;
use serde_json::Value;
use upfront_scratch::Database;

use crate::error::{Error, Result};
use crate::extract::{Scope, extract};
use crate::facts::{Fact, Facts};
use crate::generate::answer::{self, Rename};
use crate::generate::label;
use crate::identity::Identity;
use crate::plan::Statement;
use crate::{quote, rule, session};

/// The kinds that `--rename` knows.
const KINDS: [&str; 15] = [
    "schema",
    "table",
    "foreign table",
    "view",
    "materialized view",
    "sequence",
    "enum",
    "domain",
    "composite type",
    "range type",
    "index",
    "column",
    "table constraint",
    "trigger",
    "policy",
];

/// What composite types are made of; no kind of its own otherwise.
pub(crate) const ATTRIBUTE: &str = "attribute";

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

    /// The statement that does it.
    pub(crate) fn statement(&self) -> Statement {
        let (old, new) = (quote::name(self.id.name()), quote::name(&self.to));
        let (noun, owner) = (rule::find(self.id.kind).map_or("", |it| it.noun), &self.id);
        let sql = match self.id.kind {
            _ if self.part == Part::Made => format!("CREATE SCHEMA {new}"),
            _ if self.part == Part::Schema => {
                format!("ALTER {noun} {} SET SCHEMA {new}", rule::reference(owner))
            }
            ATTRIBUTE => {
                format!("ALTER TYPE {} RENAME ATTRIBUTE {old} TO {new} CASCADE", owner.owner_path())
            }
            "column" | "table constraint" => {
                format!("ALTER TABLE {} RENAME {noun} {old} TO {new}", owner.owner_path())
            }
            "trigger" | "policy" => {
                format!("ALTER {noun} {old} ON {} RENAME TO {new}", owner.owner_path())
            }
            label::KIND => {
                let (old, new) = (quote::literal(self.id.name()), quote::literal(&self.to));
                format!("ALTER TYPE {} RENAME VALUE {old} TO {new}", owner.owner_path())
            }
            _ => format!("ALTER {noun} {} RENAME TO {new}", rule::reference(owner)),
        };
        let (name, kind) = (self.id.name(), self.id.kind);
        let comment = match self.part {
            Part::Name => format!("Rename \"{name}\" {kind} to \"{}\"", self.to),
            Part::Schema => format!("Move \"{name}\" {kind} to schema \"{}\"", self.to),
            Part::Made => format!("Create \"{}\" schema", self.to),
        };
        Statement { comment, sql, hazards: Vec::new(), locks: Vec::new(), phase: 0 }
    }
}

/// Renames on a copy of the first schema what was said, and what only follows from that: the
/// constraints, indexes and sequences that differ in their names alone.
pub(crate) fn answered(
    copy: &Database<'_>,
    wanted: &Facts,
    scope: &Scope,
    renames: &[Rename],
) -> Result<Vec<Renaming>> {
    let mut done = Vec::new();
    let mut ordered: Vec<_> = renames.iter().collect();
    ordered.sort_by_key(|it| it.old.len());
    for it in ordered {
        let have = extract(&mut session::open(copy)?, scope)?;
        let renaming = resolve(it, &have, wanted, &done)?;
        perform(copy, std::slice::from_ref(&renaming))?;
        done.push(renaming);
    }
    while !done.is_empty() {
        let have = extract(&mut session::open(copy)?, scope)?;
        let next = followers(&have, wanted);
        if next.is_empty() {
            break;
        }
        perform(copy, &next)?;
        done.extend(next);
    }
    Ok(done)
}

/// Renames these, in order.
pub(crate) fn perform(copy: &Database<'_>, all: &[Renaming]) -> Result<()> {
    let mut client = session::open(copy)?;
    for it in all {
        let sql = it.statement().sql;
        session::run(&mut client, &sql)
            .map_err(Error::postgres(format!("rename {} to `{}`", it.id, it.to)))?;
    }
    Ok(())
}

/// Renames those that are there, in order; which they are.
pub(crate) fn perform_known(copy: &Database<'_>, all: Vec<Renaming>) -> Result<Vec<Renaming>> {
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
    let wrong = |why: String| answer::not(it.to_string(), why);
    let old = under_new_names(&it.old, done);
    let id = match answer::find(have, &KINDS, &old) {
        Ok(fact) => fact.id.clone(),
        Err(why) => label::find(have, &old).ok_or_else(|| wrong(why))?,
    };
    let is_in = |facts: &Facts, id: &Identity| match id.kind {
        label::KIND => label::is_there(facts, id),
        _ => facts.find(id).is_some(),
    };
    let renaming = Renaming { id: id.clone(), to: it.new.clone(), part: Part::Name };
    let new = renaming.renamed();
    if is_in(have, &new) {
        return Err(wrong(format!("{new} is there already")));
    }
    if !is_in(wanted, &new) {
        return Err(wrong(format!("{new} is not in the desired schema")));
    }
    if is_in(wanted, &id) {
        return Err(wrong(format!("{id} is in the desired schema, too")));
    }
    Ok(renaming)
}

/// A column may be called by its table's old name or by its new one.
fn under_new_names(given: &[String], done: &[Renaming]) -> Vec<String> {
    let mut name = given.to_vec();
    for it in done {
        let length = name.len();
        if length > 1 && answer::is_named(&it.id.names, &name[..length - 1]) {
            name[length - 2].clone_from(&it.to);
        }
    }
    name
}

/// What has another name and is otherwise as it should be, where there is no doubt what is what.
fn followers(have: &Facts, wanted: &Facts) -> Vec<Renaming> {
    let shape = |facts: &Facts, it: &Fact| match it.id.kind {
        "table constraint" | "index" | "sequence" => Some(own_shape(facts, it)),
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

/// Where it stands and how it is, without its own name.
fn own_shape(facts: &Facts, it: &Fact) -> String {
    let place = match it.id.kind {
        "sequence" => facts.get("sequence owner", &it.id.names).and_then(|it| it.text("column")),
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
    let old = &have.all[have.find(&new.id).filter(|_| new.id.kind == "column")?];
    new.text("identity").and(old.text("identity"))?;
    let (from, to) = (sequence_name(old)?, sequence_name(new)?);
    let differs = from != to && from.first() == to.first();
    differs.then(|| Renaming {
        id: Identity::new("sequence", &from),
        to: to[1].clone(),
        part: Part::Name,
    })
}

fn sequence_name(column: &Fact) -> Option<Vec<String>> {
    let options = column.attributes.get("identity_options");
    if let Some(it) = options.and_then(|it| it.get("name")).and_then(Value::as_str) {
        return answer::parts(it).filter(|it| it.len() == 2);
    }
    let [schema, table, column] = column.id.names.as_slice() else { return None };
    Some(vec![schema.clone(), format!("{table}_{column}_seq")])
}

/// What looks like a rename: one that is gone and one that came, of one shape.
pub(crate) fn candidates(have: &Facts, wanted: &Facts) -> Vec<(Identity, Identity)> {
    let shape = |facts: &Facts, it: &Fact| match it.id.kind {
        "table" => Some(format!("table {:?} {:?}", it.id.names.first(), columns(facts, it)))
            .filter(|_| !columns(facts, it).is_empty()),
        "column" => Some(format!("column {:?} {:?}", it.id.owner_path(), it.text("type")))
            .filter(|_| it.id.names.len() == 3 && is_in_both(have, wanted, it)),
        "enum" => Some(format!("enum {:?} {:?}", it.id.names.first(), it.attributes)),
        _ => None,
    };
    let pairs = pairs(have, wanted, shape);
    let pairs = pairs.into_iter().map(|(old, new)| (old.id.clone(), new.id.clone()));
    pairs.chain(label::candidates(have, wanted)).collect()
}

fn is_in_both(have: &Facts, wanted: &Facts, column: &Fact) -> bool {
    let is_in = |facts: &Facts| facts.get("table", &column.id.names[..2]).is_some();
    column.origin.is_none() && is_in(have) && is_in(wanted)
}

fn columns(facts: &Facts, table: &Fact) -> BTreeMap<String, Value> {
    let within = |it: &&Fact| {
        it.id.kind == "column" && it.id.names[..it.id.names.len() - 1] == table.id.names[..]
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
