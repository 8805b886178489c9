//! A desired schema that is not complete: what its source does not manage stays as the migrations
//! have it.

use std::collections::{HashMap, HashSet};

use postgres::Client;
use postgres::error::SqlState;
use upfront_scratch::Database;

use crate::{
    catalog::{
        extract::extract,
        facts::{Dependency, Fact, Facts},
        identity::Identity,
        scope::Scope,
    },
    diff::{actions::Actions, steps},
    error::{Error, Result, reason},
    generate::{decisions::Decisions, manages::Manages, overlay, renames, unmanaged::Unmanaged},
    kinds::object_kind::ObjectKind,
    options::Options,
    scratch::{
        load::{Progress, texts_beside},
        session,
    },
};

/// Where the desired schema comes from.
#[derive(Clone, Copy, Debug)]
pub struct DesiredSource<'a, 's> {
    /// A database on which the texts run. It may have objects already.
    pub base: &'a Database<'s>,
    /// SQL, each text with what messages call it.
    pub texts: &'a [(String, String)],
    /// What the texts and the base can express.
    pub manages: &'a Manages,
}

/// The schema that models make, with what else the migrations have.
#[derive(Debug)]
pub struct ModelSchema<'s> {
    /// Models and the rest.
    pub database: Database<'s>,
    /// What is not managed and the migrations have: it stays.
    pub left: Vec<Unmanaged>,
    /// What cannot stay, and what the server says about it.
    pub stuck: Vec<(Identity, String)>,
}

impl<'s> ModelSchema<'s> {
    /// Runs SQL on a copy of its base, beside what it does not manage.
    ///
    /// # Errors
    ///
    /// If a statement never works, with its place, or if the schema of the migrations cannot be
    /// read.
    pub fn build(
        origin: DesiredSource<'_, 's>,
        before: &Database<'_>,
        scope: &Scope,
        answers: &Decisions,
    ) -> Result<Self> {
        let first = Self::beside(origin, before, scope, answers)?;
        if answers.renames.is_empty() && answers.annotated.is_empty() {
            return Ok(first);
        }
        let wanted = extract(&mut session::open(&first.database)?, scope)?;
        let copy = before.copy()?;
        match renames::apply_requested(&copy, &wanted, scope, answers)?.is_empty() {
            true => Ok(first),
            false => Self::beside(origin, &copy, scope, answers),
        }
    }

    fn beside(
        origin: DesiredSource<'_, 's>,
        before: &Database<'_>,
        scope: &Scope,
        answers: &Decisions,
    ) -> Result<Self> {
        let have = extract(&mut session::open(before)?, scope)?;
        let database = origin.base.copy()?;
        let mut client = session::open(&database)?;
        let there = extract(&mut client, scope)?;
        let stays = UnmanagedObjects { have: &have, manages: origin.manages }.all(&there, answers);
        let mut open = PendingObjects::of(&have, &stays, scope)?;
        session::run(&mut client, "SET check_function_bodies = off")
            .map_err(Error::postgres("load"))?;
        let texts = origin.texts.to_vec();
        texts_beside(&mut session::open(&database)?, texts, scope, || Ok(open.round(&mut client)))?;
        open.finish(&mut client);
        let keeps = overlay::Retained { manages: origin.manages, kept: &answers.kept };
        let attributes = overlay::apply(&database, &have, scope, &keeps)?;
        let there = extract(&mut client, scope)?;
        let is_missing = |(at, it): (usize, &bool)| *it && there.find(&have.all[at].id).is_none();
        let missing: Vec<_> = stays.iter().enumerate().map(is_missing).collect();
        open.add(PendingObjects::of(&have, &missing, scope)?);
        open.finish(&mut client);
        let wanted = extract(&mut session::open(&database)?, scope)?;
        let (mut left, stuck) = open.outcome(&have, &stays, &wanted);
        left.retain(|it| !answers.kept.objects.contains(&it.id));
        left.extend(attributes);
        Ok(Self { database, left, stuck })
    }
}

/// Which objects of the migrations stay although the desired schema may lack them.
struct UnmanagedObjects<'a> {
    have: &'a Facts,
    manages: &'a Manages,
}

impl UnmanagedObjects<'_> {
    /// For each fact whether it is not managed, or kept for this time, and not `there` already. A
    /// schema that holds such a thing stays, too.
    fn all(&self, there: &Facts, answers: &Decisions) -> Vec<bool> {
        let have = self.have;
        let is_new = |it: &Fact| {
            there.find(&it.id).is_none_or(|at| there.all[at].attributes != it.attributes)
        };
        let is_one = |at: usize| {
            let is_kept = answers.kept.objects.contains(&have.all[at].id);
            (is_kept || !self.is_managed(at)) && is_new(&have.all[at])
        };
        let mut all: Vec<_> = (0..have.all.len()).map(is_one).collect();
        let schemas: HashSet<_> = (0..all.len())
            .filter(|at| all[*at] && !is_on_something(&have.all[*at]))
            .filter_map(|at| have.all[at].id.names.first())
            .collect();
        for (at, it) in have.all.iter().enumerate() {
            let schema = match (it.id.kind, it.id.names.as_slice()) {
                (ObjectKind::Schema, [name]) => Some(name),
                (_, [_, name]) if it.id.target_kind() == Some(ObjectKind::Schema) => Some(name),
                _ => None,
            };
            all[at] |= schema.is_some_and(|it| it != "public" && schemas.contains(it));
        }
        all
    }

    /// A sequence is managed if a column owns it, a comment if it is on something that is managed.
    fn is_managed(&self, at: usize) -> bool {
        if self.manages.is_everything() {
            return true;
        }
        let fact = &self.have.all[at];
        let is_managed = self.manages.kind(fact.id.kind)
            && match fact.id.kind {
                ObjectKind::Comment => fact.parent.is_some(),
                ObjectKind::Sequence => {
                    self.have.get(ObjectKind::SequenceOwner, &fact.id.names).is_some()
                }
                ObjectKind::Table => {
                    self.manages.kind(ObjectKind::Inheritance) || !self.is_partition(fact)
                }
                _ => true,
            };
        is_managed && fact.parent.is_none_or(|it| self.is_managed_within(it))
    }

    /// Whether the contents of an object can be managed. The parts of a table can be, without the
    /// table itself.
    fn is_managed_within(&self, at: usize) -> bool {
        let fact = &self.have.all[at];
        match fact.id.kind {
            ObjectKind::Table => {
                self.manages.kind(ObjectKind::Inheritance) || !self.is_partition(fact)
            }
            ObjectKind::Column => fact.parent.is_none_or(|it| self.is_managed_within(it)),
            _ => self.is_managed(at),
        }
    }

    fn is_partition(&self, table: &Fact) -> bool {
        self.have.partitioned_above(table).is_some()
    }
}

/// Comments and privileges are called by what they are on.
fn is_on_something(fact: &Fact) -> bool {
    fact.id.kind.is_on_target()
}

/// The statements that make what stays, as far as they have not worked yet.
struct PendingObjects {
    all: Vec<PendingStatement>,
    /// Default privileges come last: what is made before them has none by them.
    last: Vec<PendingStatement>,
    /// What the desired schema makes itself.
    taken: HashSet<Identity>,
}

struct PendingStatement {
    id: Identity,
    sql: String,
    why: String,
}

impl PendingObjects {
    fn of(have: &Facts, stays: &[bool], scope: &Scope) -> Result<Self> {
        let said = have.only(|at| !stays[at]);
        let options = Options { scope: scope.clone(), ..Options::default() };
        let actions = Actions::of(&said, have, &options)?;
        let mut all = Vec::new();
        for work in steps::order(&actions)? {
            let id = &work.fact.id;
            all.extend(work.sql.into_iter().map(|it| {
                let head = it.head.map(|it| format!("{it} ")).unwrap_or_default();
                PendingStatement { id: id.clone(), sql: head + &it.text, why: String::new() }
            }));
        }
        let is_last = |it: &PendingStatement| it.id.kind == ObjectKind::DefaultPrivileges;
        let (last, all) = all.into_iter().partition(is_last);
        Ok(Self { all, last, taken: HashSet::new() })
    }

    fn round(&mut self, client: &mut Client) -> Progress {
        let mut progress = Progress::None;
        let mut left = Vec::new();
        for mut it in std::mem::take(&mut self.all) {
            if self.taken.contains(&it.id) {
                continue;
            }
            match session::run(client, &it.sql) {
                Ok(()) => progress = Progress::Some,
                Err(err) if is_there(&err) => _ = self.taken.insert(it.id),
                Err(err) => {
                    it.why = reason(&err);
                    left.push(it);
                }
            }
        }
        self.all = left;
        progress
    }

    /// Runs what is left for as long as something works.
    fn finish(&mut self, client: &mut Client) {
        while self.round(client) == Progress::Some {}
    }

    /// Takes what is still missing as it can be made now: a constraint was part of a table that the
    /// desired schema has made without it.
    fn add(&mut self, missing: Self) {
        let more: Vec<_> = missing.all.into_iter().chain(missing.last).collect();
        self.all.retain(|it| more.iter().all(|other| other.id != it.id));
        self.all.extend(more);
        self.last.clear();
    }

    /// What stays and what cannot. What is part of a table that the desired schema lacks goes with
    /// it, and is neither.
    fn outcome(
        &self,
        have: &Facts,
        stays: &[bool],
        wanted: &Facts,
    ) -> (Vec<Unmanaged>, Vec<(Identity, String)>) {
        let whys: HashMap<_, _> = self.all.iter().map(|it| (&it.id, &it.why)).collect();
        let (mut left, mut stuck) = (Vec::new(), Vec::new());
        for (at, it) in have.all.iter().enumerate().filter(|(at, _)| stays[*at]) {
            let is_within = it.parent.is_some_and(|it| stays[it]);
            if is_within || self.taken.contains(&it.id) || goes_along(have, at, stays, wanted) {
                continue;
            }
            let there = wanted.find(&it.id).map(|at| &wanted.all[at].attributes);
            match (there, whys.get(&it.id)) {
                (Some(_), None) => left.push(it.id.clone().into()),
                // The desired schema has made it itself, in the same way.
                (Some(there), Some(_)) if *there == it.attributes => {
                    left.push(it.id.clone().into());
                }
                (_, why) => {
                    let why = why.map_or_else(|| "it is not there".to_owned(), ToString::to_string);
                    stuck.push((it.id.clone(), why));
                }
            }
        }
        (left, stuck)
    }
}

/// Whether it ends with a table or a column that the desired schema lacks, as a trigger or a partition
/// does.
fn goes_along(have: &Facts, at: usize, stays: &[bool], wanted: &Facts) -> bool {
    let is_gone = |base: usize| match stays[base] {
        true => goes_along(have, base, stays, wanted),
        false => wanted.find(&have.all[base].id).is_none(),
    };
    let fact = &have.all[at];
    if fact.id.kind == ObjectKind::Table
        && have.partitioned_above(fact).is_some_and(|it| wanted.find(&it.id).is_none())
    {
        return true;
    }
    let ends_with =
        |how: Dependency| matches!(how, Dependency::DroppedWith | Dependency::OnlyDroppedWith);
    have.uses[at].iter().any(|(base, how)| ends_with(*how) && is_gone(*base))
}

fn is_there(err: &postgres::Error) -> bool {
    let codes = [
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_FUNCTION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_COLUMN,
    ];
    err.code().is_some_and(|it| codes.contains(it))
}

impl Facts {
    /// Those at some places, with what they use of each other.
    pub(crate) fn only(&self, stays: impl Fn(usize) -> bool) -> Self {
        let kept = (0..self.all.len()).filter(|at| stays(*at));
        let places: HashMap<_, _> = kept.zip(0..).collect();
        let moved = |at: Option<usize>| at.and_then(|it| places.get(&it).copied());
        let fact = |at: usize| {
            let it = &self.all[at];
            Fact { parent: moved(it.parent), origin: moved(it.origin), ..it.clone() }
        };
        let all = (0..self.all.len()).filter(|at| stays(*at)).map(fact).collect();
        let mut facts = Self::new(all, self.casts.clone());
        for (user, uses) in self.uses.iter().enumerate() {
            for (base, how) in uses {
                if let (Some(user), Some(base)) = (moved(Some(user)), moved(Some(*base))) {
                    facts.connect(user, base, *how);
                }
            }
        }
        facts
    }
}
