//! Models alone: what they cannot say stays as the migrations have it.

use std::collections::{HashMap, HashSet};

use postgres::Client;
use postgres::error::SqlState;
use upfront_scratch::{Database, Server};

use crate::draft::Draft;
use crate::error::{Error, Result, reason};
use crate::extract::{Scope, extract};
use crate::facts::{Fact, Facts, Use};
use crate::generate::answer::Answers;
use crate::generate::rename;
use crate::identity::Identity;
use crate::load::{Progress, texts_beside};
use crate::options::Options;
use crate::{session, steps};

/// What models say; a sequence is theirs if a column owns it, a comment if it is on one of these.
const SAID: [&str; 11] = [
    "schema",
    "table",
    "column",
    "default value",
    "inheritance",
    "sequence",
    "sequence owner",
    "table constraint",
    "index",
    "policy",
    "enum",
];

/// The schema that models make, with what else the migrations have.
#[derive(Debug)]
pub struct Modelled<'s> {
    /// Models and the rest.
    pub database: Database<'s>,
    /// What models cannot say and the migrations have: it stays.
    pub left: Vec<Identity>,
    /// What cannot stay, and what the server says about it.
    pub stuck: Vec<(Identity, String)>,
}

impl<'s> Modelled<'s> {
    /// Runs the SQL of models on an empty database, beside what they cannot say.
    ///
    /// # Errors
    ///
    /// If a statement never works, with its place, or if the schema of the migrations cannot be
    /// read.
    pub fn build(
        server: &'s Server,
        texts: &[(String, String)],
        before: &Database<'_>,
        scope: &Scope,
        answers: &Answers,
    ) -> Result<Self> {
        let first = Self::beside(server, texts, before, scope)?;
        if answers.renames.is_empty() && answers.annotated.is_empty() {
            return Ok(first);
        }
        let wanted = extract(&mut session::open(&first.database)?, scope)?;
        let copy = before.copy()?;
        match rename::answered(&copy, &wanted, scope, answers)?.is_empty() {
            true => Ok(first),
            false => Self::beside(server, texts, &copy, scope),
        }
    }

    fn beside(
        server: &'s Server,
        texts: &[(String, String)],
        before: &Database<'_>,
        scope: &Scope,
    ) -> Result<Self> {
        let have = extract(&mut session::open(before)?, scope)?;
        let database = server.database()?;
        let mut client = session::open(&database)?;
        let stays = unsaid(&have, &extract(&mut client, scope)?);
        let mut open = Open::of(&have, &stays, scope)?;
        session::run(&mut client, "SET check_function_bodies = off")
            .map_err(Error::postgres("load"))?;
        texts_beside(&mut session::open(&database)?, texts.to_vec(), scope, || {
            Ok(open.round(&mut client))
        })?;
        while open.round(&mut client) == Progress::Some {}
        let wanted = extract(&mut session::open(&database)?, scope)?;
        let (left, stuck) = open.outcome(&have, &stays, &wanted);
        Ok(Self { database, left, stuck })
    }
}

/// For each fact whether models have no word for it, and an empty database has it not. A schema that
/// holds such a thing is one.
fn unsaid(have: &Facts, empty: &Facts) -> Vec<bool> {
    let is_new =
        |it: &Fact| empty.find(&it.id).is_none_or(|at| empty.all[at].attributes != it.attributes);
    let is_one = |at| is_unsaid(have, at) && is_new(&have.all[at]);
    let mut all: Vec<_> = (0..have.all.len()).map(is_one).collect();
    let schemas: HashSet<_> = (0..all.len())
        .filter(|at| all[*at] && !is_on_something(&have.all[*at]))
        .filter_map(|at| have.all[at].id.names.first())
        .collect();
    for (at, it) in have.all.iter().enumerate() {
        let schema = match (it.id.kind, it.id.names.as_slice()) {
            ("schema", [name]) => Some(name),
            ("comment" | "privileges", [kind, name]) if kind == "schema" => Some(name),
            _ => None,
        };
        all[at] |= schema.is_some_and(|it| it != "public" && schemas.contains(it));
    }
    all
}

fn is_unsaid(have: &Facts, at: usize) -> bool {
    let fact = &have.all[at];
    let is_said = match fact.id.kind {
        "comment" => fact.parent.is_some(),
        "sequence" => have.get("sequence owner", &fact.id.names).is_some(),
        kind => SAID.contains(&kind),
    };
    !is_said || fact.parent.is_some_and(|it| is_unsaid(have, it))
}

/// Comments and privileges are called by what they are on.
fn is_on_something(fact: &Fact) -> bool {
    matches!(fact.id.kind, "comment" | "privileges")
}

/// The statements that make what models cannot say, as far as they have not worked yet.
struct Open {
    all: Vec<Piece>,
    /// What the SQL of the models makes itself.
    taken: HashSet<Identity>,
}

struct Piece {
    id: Identity,
    sql: String,
    why: String,
}

impl Open {
    fn of(have: &Facts, stays: &[bool], scope: &Scope) -> Result<Self> {
        let said = have.only(|at| !stays[at]);
        let options = Options { scope: scope.clone(), ..Options::default() };
        let draft = Draft::of(&said, have, &options)?;
        let mut all = Vec::new();
        for work in steps::order(&draft)? {
            let id = &work.fact.id;
            all.extend(work.sql.into_iter().map(|it| {
                let head = it.head.map(|it| format!("{it} ")).unwrap_or_default();
                Piece { id: id.clone(), sql: head + &it.text, why: String::new() }
            }));
        }
        Ok(Self { all, taken: HashSet::new() })
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

    /// What stays and what cannot. What is part of a table that the models do not have goes with
    /// it, and is neither.
    fn outcome(
        &self,
        have: &Facts,
        stays: &[bool],
        wanted: &Facts,
    ) -> (Vec<Identity>, Vec<(Identity, String)>) {
        let whys: HashMap<_, _> = self.all.iter().map(|it| (&it.id, &it.why)).collect();
        let (mut left, mut stuck) = (Vec::new(), Vec::new());
        for (at, it) in have.all.iter().enumerate().filter(|(at, _)| stays[*at]) {
            let is_within = it.parent.is_some_and(|it| stays[it]);
            if is_within || self.taken.contains(&it.id) || goes_along(have, at, stays, wanted) {
                continue;
            }
            match (wanted.find(&it.id), whys.get(&it.id)) {
                (Some(_), None) => left.push(it.id.clone()),
                (_, why) => {
                    let why = why.map_or_else(|| "it is not there".to_owned(), ToString::to_string);
                    stuck.push((it.id.clone(), why));
                }
            }
        }
        (left, stuck)
    }
}

/// Whether it ends with a table or a column that the models do not have, as a trigger does.
fn goes_along(have: &Facts, at: usize, stays: &[bool], wanted: &Facts) -> bool {
    let is_gone = |base: usize| match stays[base] {
        true => goes_along(have, base, stays, wanted),
        false => wanted.find(&have.all[base].id).is_none(),
    };
    let ends_with = |how: Use| matches!(how, Use::EndsWith | Use::OnlyEndsWith);
    have.uses[at].iter().any(|(base, how)| ends_with(*how) && is_gone(*base))
}

fn is_there(err: &postgres::Error) -> bool {
    let codes = [
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_FUNCTION,
        SqlState::DUPLICATE_SCHEMA,
    ];
    err.code().is_some_and(|it| codes.contains(it))
}

impl Facts {
    /// Those at some places, with what they use of each other.
    fn only(&self, stays: impl Fn(usize) -> bool) -> Self {
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
