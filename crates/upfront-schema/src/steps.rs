//! The steps of a plan: what is dropped, altered and made, in order.

use std::collections::HashMap;

use crate::draft::{Draft, Fate};
use crate::error::Result;
use crate::facts::{Fact, Facts, Use};
use crate::graph::{self, Graph, Rank};
use crate::quote;
use crate::rule::{self, Created, Nature};
use crate::sql::Sql;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Drop,
    Alter,
    Create,
}

/// One object and what is done to it; its place is in the first schema for drops, in the second
/// for the others.
#[derive(Clone, Copy, Debug)]
struct Step {
    verb: Verb,
    at: usize,
}

/// Statements with what they are about.
pub(crate) struct Work<'a> {
    pub(crate) verb: Verb,
    pub(crate) fact: &'a Fact,
    pub(crate) sql: Vec<Sql>,
}

pub(crate) struct Steps<'a> {
    draft: &'a Draft<'a>,
    all: Vec<Step>,
    drops: HashMap<usize, usize>,
    /// By the place in the first schema, and in the second.
    alters: [HashMap<usize, usize>; 2],
    creates: HashMap<usize, usize>,
    graph: Graph,
}

/// All statements in the order in which they work.
pub(crate) fn order<'a>(draft: &'a Draft<'a>) -> Result<Vec<Work<'a>>> {
    let mut it = Steps::of(draft);
    it.wait();
    it.fold();
    it.sorted()
}

impl<'a> Steps<'a> {
    fn of(draft: &'a Draft<'a>) -> Self {
        let mut it = Self {
            draft,
            all: Vec::new(),
            drops: HashMap::new(),
            alters: [HashMap::new(), HashMap::new()],
            creates: HashMap::new(),
            graph: Graph::default(),
        };
        it.collect();
        it.graph = Graph::new(it.all.len());
        it
    }

    fn collect(&mut self) {
        for (at, fate) in self.draft.fates.iter().enumerate() {
            let twin = self.draft.twin(at);
            if fate.is_dropped() {
                let step = self.add(Verb::Drop, at);
                self.drops.insert(at, step);
            }
            if let (Some(twin), true) = (twin, fate.is_made()) {
                let step = self.add(Verb::Create, twin);
                self.creates.insert(twin, step);
            }
            if let (Some(twin), Some(_)) = (twin, fate.statements()) {
                let step = self.add(Verb::Alter, twin);
                self.alters[0].insert(at, step);
                self.alters[1].insert(twin, step);
            }
        }
        for at in 0..self.b().all.len() {
            if self.a().find(&self.b().all[at].id).is_none() {
                let step = self.add(Verb::Create, at);
                self.creates.insert(at, step);
            }
        }
    }

    fn add(&mut self, verb: Verb, at: usize) -> usize {
        self.all.push(Step { verb, at });
        self.all.len() - 1
    }

    fn a(&self) -> &'a Facts {
        self.draft.a
    }

    fn b(&self) -> &'a Facts {
        self.draft.b
    }

    fn wait(&mut self) {
        for user in 0..self.a().all.len() {
            for &(base, how) in &self.a().uses[user] {
                if how != Use::ComesAfter {
                    self.wait_before(user, base);
                }
            }
        }
        for user in 0..self.b().all.len() {
            for &(base, how) in &self.b().uses[user] {
                if how != Use::OnlyEndsWith {
                    self.wait_after(user, base);
                }
            }
            if let Some(origin) = self.b().all[user].origin {
                self.wait_after(user, origin);
            }
        }
        self.wait_for_changes_before_reattachment();
        self.wait_for_other_keys();
        self.wait_for_revocations();
        self.wait_for_names();
        self.wait_for_attachment();
    }

    /// A partition whose bound changes takes part in the changes of its parent before it is detached
    /// and attached anew.
    fn wait_for_changes_before_reattachment(&mut self) {
        for (at, fate) in self.draft.fates.iter().enumerate() {
            let fact = &self.draft.a.all[at];
            if fact.id.kind != "inheritance" || !matches!(fate, Fate::Replace) {
                continue;
            }
            let is_parents =
                |it: &Fact| it.id.kind == "column" && it.id.names[..2] == fact.id.names[2..];
            let a = |of: &HashMap<usize, usize>| steps_of(of, self.draft.a, is_parents);
            let b = |of: &HashMap<usize, usize>| steps_of(of, self.draft.b, is_parents);
            let all = [a(&self.drops), b(&self.alters[1]), b(&self.creates)].concat();
            for step in all {
                self.graph.wait(step, self.drops[&at]);
            }
        }
    }

    /// A foreign key that is made again must not find the key that is about to go.
    fn wait_for_other_keys(&mut self) {
        for (&at, &step) in &self.drops {
            let Some(create) = self.draft.twin(at).and_then(|it| self.creates.get(&it)) else {
                continue;
            };
            let _ = step;
            for (base, _) in &self.draft.a.uses[at] {
                let is_key = self.draft.a.all[*base].id.kind == "table constraint";
                if let Some(drop) = self.drops.get(base).filter(|_| is_key) {
                    self.graph.wait(*drop, *create);
                }
            }
        }
    }

    /// What is taken from a role on a table is taken on its columns too, so these come later.
    fn wait_for_revocations(&mut self) {
        for facts in [self.draft.a, self.draft.b] {
            let on = facts
                .all
                .iter()
                .filter(|it| it.id.kind == "privileges" && it.id.names[0] == "column");
            for fact in on {
                let firsts = self.steps_on(|it| rule::is_on_table_of(it, fact));
                let seconds = self.steps_on(|it| it.id == fact.id);
                for (first, second) in
                    firsts.iter().flat_map(|it| seconds.iter().map(move |to| (*it, *to)))
                {
                    self.graph.wait(first, second);
                }
            }
        }
    }

    fn steps_on(&self, is: impl Fn(&Fact) -> bool + Copy) -> Vec<usize> {
        let a = steps_of(&self.drops, self.draft.a, is);
        let alters = steps_of(&self.alters[1], self.draft.b, is);
        [a, alters, steps_of(&self.creates, self.draft.b, is)].concat()
    }

    /// In the first schema: users leave before what they use does.
    fn wait_before(&mut self, user: usize, base: usize) {
        let drop = self.drops.get(&user).copied();
        let alter = self.alters[0].get(&user).copied();
        let gone = self.drops.get(&base).copied();
        let changed = self.alters[0].get(&base).copied();
        let swapped = matches!(self.draft.fates[base], Fate::Swap)
            .then(|| self.draft.twin(base).and_then(|it| self.creates.get(&it).copied()))
            .flatten();
        let user_is_swapped = matches!(self.draft.fates[user], Fate::Swap);
        let ends = [gone, changed, swapped.filter(|_| !user_is_swapped)];
        for (first, second) in ends.into_iter().map(|end| (drop, end)).chain([(alter, gone)]) {
            if let (Some(first), Some(second)) = (first, second) {
                self.graph.wait(first, second);
            }
        }
    }

    /// In the second: what is used is there before its users come.
    fn wait_after(&mut self, user: usize, base: usize) {
        let firsts = [self.creates.get(&base).copied(), self.alters[1].get(&base).copied()];
        let seconds = [self.creates.get(&user).copied(), self.alters[1].get(&user).copied()];
        for first in firsts.into_iter().flatten() {
            for second in seconds.into_iter().flatten() {
                self.graph.wait(first, second);
            }
        }
    }

    /// What takes a name waits until the name is free.
    fn wait_for_names(&mut self) {
        let mut held: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        for (&at, &step) in &self.drops {
            if !matches!(self.draft.fates[at], Fate::Swap) {
                for it in slots(&self.a().all[at]) {
                    held.entry(it).or_default().push(step);
                }
            }
        }
        for (&at, &step) in &self.alters[0] {
            held.extend(sequence_slot(&self.a().all[at]).map(|it| (it, vec![step])));
        }
        let b = self.b();
        let creates = self.creates.iter().map(|(at, step)| (slots(&b.all[*at]), *step));
        let alters = self.alters[1].iter();
        let alters = alters.map(|(at, step)| (sequence_slot(&b.all[*at]), *step));
        let alters = alters.map(|(slot, step)| (slot.into_iter().collect(), step));
        for (slots, step) in creates.chain(alters) {
            for &drop in slots.iter().filter_map(|it| held.get(it)).flatten() {
                self.graph.wait(drop, step);
            }
        }
        self.wait_for_users_of_the_swapped();
    }

    fn wait_for_users_of_the_swapped(&mut self) {
        for (at, fate) in self.draft.fates.iter().enumerate() {
            if let (Fate::Swap, Some(twin)) = (fate, self.draft.twin(at)) {
                self.graph.wait(self.creates[&twin], self.drops[&at]);
            }
        }
    }

    /// What comes along with the attachment of its table is there after it, and what came along may
    /// only go on its own after the table is detached.
    fn wait_for_attachment(&mut self) {
        let creates: Vec<_> = self.creates.iter().map(|(at, step)| (*at, *step)).collect();
        for (at, step) in creates {
            let fact = &self.b().all[at];
            if matches!(fact.id.kind, "column" | "default value") || fact.origin.is_none() {
                continue;
            }
            if let Some(it) = attachment(self.b(), fact).and_then(|it| self.creates.get(&it)) {
                self.graph.wait(*it, step);
            }
        }
        for (&at, &step) in &self.drops {
            let detached = attachment(self.draft.a, &self.draft.a.all[at])
                .filter(|it| matches!(self.draft.fates[*it], Fate::Drop));
            if let Some(it) = detached.and_then(|it| self.drops.get(&it)) {
                self.graph.wait(*it, step);
            }
        }
    }

    /// Lets a step do what comes with it anyway.
    fn fold(&mut self) {
        let mut open: Vec<(usize, usize)> = self.drops_that_follow();
        open.extend(self.creates_within());
        loop {
            let before = open.len();
            open.retain(|&(guest, host)| !self.graph.fold(guest, host));
            if open.is_empty() || open.len() == before {
                return;
            }
        }
    }

    /// The server drops with an object what ends with it.
    fn drops_that_follow(&self) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        let mut drops: Vec<_> = self.drops.iter().collect();
        drops.sort();
        for (&at, &guest) in drops {
            let fact = &self.a().all[at];
            let uses = self.a().uses[at]
                .iter()
                .filter(|(_, how)| matches!(how, Use::EndsWith | Use::OnlyEndsWith));
            let is_detached = attachment(self.a(), fact)
                .is_some_and(|it| matches!(self.draft.fates[it], Fate::Drop));
            let uses = uses.filter(|(used, _)| !is_detached || fact.origin != Some(*used));
            let hosts = uses.filter(|(base, _)| !matches!(self.draft.fates[*base], Fate::Swap));
            let hosts: Vec<_> = hosts.filter_map(|(base, _)| self.drops.get(base)).collect();
            all.extend(hosts.into_iter().map(|&host| (guest, host)));
        }
        all
    }

    fn creates_within(&self) -> Vec<(usize, usize)> {
        let mut creates: Vec<_> = self.creates.iter().collect();
        creates.sort();
        let one = |(at, guest): (&usize, &usize)| {
            let fact = &self.b().all[*at];
            let parent = fact.parent.filter(|_| rule::of(fact).folds)?;
            let fits = match fact.id.kind {
                "inheritance" => self.may_be_born_attached(fact),
                "default value" => fact.origin.is_none() && !self.is_inherited(parent),
                "table constraint" => {
                    self.b().all[parent].id.kind != "column"
                        && !fact.is("not_valid")
                        && !fact.is("clustered")
                }
                _ => true,
            };
            self.creates.get(&parent).filter(|_| fits).map(|host| (*guest, *host))
        };
        creates.into_iter().filter_map(one).collect()
    }

    /// Whether a column comes with the table that its own is made under.
    fn is_inherited(&self, column: usize) -> bool {
        let fact = &self.b().all[column];
        let is_new = fact.parent.is_some_and(|it| self.creates.contains_key(&it));
        is_new && fact.origin.is_some()
    }

    /// A partition whose columns are all its parent's.
    fn may_be_born_attached(&self, fact: &Fact) -> bool {
        let Some(table) = fact.parent else { return false };
        let columns = self.b().users[table].iter().map(|(it, _)| &self.b().all[*it]);
        let mut columns = columns.filter(|it| it.id.kind == "column" && it.parent == Some(table));
        fact.text("bound").is_none() || columns.all(|it| it.origin.is_some())
    }

    fn sorted(self) -> Result<Vec<Work<'a>>> {
        let ranks: Vec<_> = self.all.iter().map(|it| self.rank(*it)).collect();
        let works: Vec<_> = (0..self.all.len()).map(|it| self.sql(it)).collect();
        let heads: Vec<_> = works.iter().map(|it| common_head(it)).collect();
        let order = match self.graph.order(&ranks, &heads) {
            Ok(order) => order,
            Err(cycle) => return graph::cycle(cycle.into_iter().map(|it| self.name(it)).collect()),
        };
        let mut works: Vec<_> = works.into_iter().map(Some).collect();
        let work = |at: usize| Work {
            verb: self.all[at].verb,
            fact: self.fact(self.all[at]),
            sql: works[at].take().unwrap_or_default(),
        };
        Ok(order.into_iter().map(work).filter(|it| !it.sql.is_empty()).collect())
    }

    fn fact(&self, step: Step) -> &'a Fact {
        match step.verb {
            Verb::Drop => &self.a().all[step.at],
            Verb::Alter | Verb::Create => &self.b().all[step.at],
        }
    }

    fn name(&self, at: usize) -> String {
        let verb = match self.all[at].verb {
            Verb::Drop => "drop",
            Verb::Alter => "alter",
            Verb::Create => "create",
        };
        format!("{verb} {}", self.fact(self.all[at]).id)
    }

    /// Definitions go first and rows last.
    fn rank(&self, step: Step) -> Rank {
        let fact = self.fact(step);
        let rule = rule::of(fact);
        let weight = u32::from(rule.weight);
        let place = match (step.verb, rule.nature) {
            (Verb::Drop, Nature::Definition) => 1000 - weight,
            (Verb::Create | Verb::Alter, _) => 2000 + weight,
            (Verb::Drop, _) => 4000 - weight,
        };
        // New columns stand among each other as they are wanted.
        let position = fact.notes.get("position").and_then(serde_json::Value::as_i64);
        let column = position.map(|it| format!("{} {it:05}", fact.id.owner_path()));
        (place, column.unwrap_or_else(|| fact.id.to_string()))
    }

    fn sql(&self, at: usize) -> Vec<Sql> {
        let step = self.all[at];
        if self.graph.host(at) != at {
            return Vec::new();
        }
        let fact = self.fact(step);
        match step.verb {
            Verb::Drop => self.drop_sql(step.at, fact),
            Verb::Create => self.create_sql(step.at, fact),
            Verb::Alter => {
                let old = self.a().find(&fact.id).map(|it| self.draft.fates[it].statements());
                old.flatten().unwrap_or_default().to_vec()
            }
        }
    }

    fn drop_sql(&self, at: usize, fact: &Fact) -> Vec<Sql> {
        if matches!(self.draft.fates[at], Fate::Swap) {
            let mut names = fact.id.names.clone();
            names.pop();
            names.push(rule::swapped_name(&fact.id));
            let noun = rule::of(fact).noun;
            return vec![Sql::whole(format!("DROP {noun} {}", quote::qualified(&names)))];
        }
        if self.goes_along(fact) {
            return Vec::new();
        }
        let mut sql = (rule::of(fact).drop)(self.a(), fact);
        if self.leaves_heirs(at) {
            sql.iter_mut().for_each(Sql::only);
        }
        sql
    }

    /// Whether a column goes and those that inherit it stay, as columns of their own.
    fn leaves_heirs(&self, at: usize) -> bool {
        let heirs = self.a().all.iter().enumerate();
        self.a().all[at].id.kind == "column"
            && heirs
                .into_iter()
                .any(|(heir, it)| it.origin == Some(at) && !self.drops.contains_key(&heir))
    }

    fn create_sql(&self, at: usize, fact: &Fact) -> Vec<Sql> {
        if self.comes_along(fact) {
            return Vec::new();
        }
        let made = (rule::of(fact).create)(&self.created(at));
        let old = self.a().find(&fact.id).filter(|it| matches!(self.draft.fates[*it], Fate::Swap));
        let mut sql = Vec::new();
        if old.is_some() {
            let (noun, name) = (rule::of(fact).noun, quote::name(&rule::swapped_name(&fact.id)));
            sql.push(Sql::whole(format!("ALTER {noun} {} RENAME TO {name}", fact.id.path())));
        }
        sql.extend(made);
        sql.extend(rule::privileges_by_default(self.a(), self.b(), fact));
        sql
    }

    /// The object with what is folded into it.
    fn created(&self, at: usize) -> Created<'a> {
        let facts = self.b();
        let within = facts.users[at].iter().map(|(it, _)| *it);
        let within = within.filter(|it| facts.all[*it].parent == Some(at));
        let is_folded =
            |it: &usize| self.creates.get(it).is_some_and(|it| self.graph.host(*it) != *it);
        let folded = within.filter(is_folded).map(|it| self.created(it)).collect();
        Created { facts, fact: &facts.all[at], folded, before: self.a() }
    }

    /// Whether an inherited object comes with that of the table above, or with its attachment.
    fn comes_along(&self, fact: &Fact) -> bool {
        if self.is_serial_part(fact) {
            return true;
        }
        let Some(origin) = fact.origin else { return false };
        let is_attached = attachment(self.b(), fact)
            .is_some_and(|it| self.a().find(&self.b().all[it].id).is_some());
        let is_same = fact.attributes == self.b().all[origin].attributes;
        let is_born = attachment(self.b(), fact)
            .and_then(|it| self.creates.get(&it))
            .is_some_and(|it| self.graph.host(*it) != *it);
        match (fact.id.kind, is_attached) {
            ("default value", true) => is_same && self.creates.contains_key(&origin),
            ("default value", false) => is_same && is_born,
            (_, true) => self.creates.contains_key(&origin),
            ("column", false) => false,
            (_, false) => fact.note("type") != Some("c") || is_born,
        }
    }

    /// Whether `serial` in a new column makes it.
    fn is_serial_part(&self, fact: &Fact) -> bool {
        let facts = self.b();
        let column = match fact.id.kind {
            "default value" => facts.parent(fact),
            "sequence owner" => rule::column_of(facts, fact),
            _ => None,
        };
        column.is_some_and(|it| self.a().find(&it.id).is_none() && rule::is_serial(facts, it))
    }

    fn goes_along(&self, fact: &Fact) -> bool {
        let Some(origin) = fact.origin else { return false };
        let stays = attachment(self.a(), fact)
            .is_some_and(|it| self.b().find(&self.a().all[it].id).is_some());
        stays && self.drops.contains_key(&origin) && !self.leaves_heirs(origin)
    }
}

fn steps_of(
    steps: &HashMap<usize, usize>,
    facts: &Facts,
    is: impl Fn(&Fact) -> bool,
) -> Vec<usize> {
    steps.iter().filter(|(at, _)| is(&facts.all[**at])).map(|(_, step)| *step).collect()
}

/// The head of the statements, if they are clauses of one.
fn common_head(sql: &[Sql]) -> Option<String> {
    let head = sql.first()?.head.clone()?;
    sql.iter().all(|it| it.head.as_ref() == Some(&head)).then_some(head)
}

/// What no two objects of one database can share. The kind is the first part.
fn slots(fact: &Fact) -> Vec<Vec<String>> {
    let id = &fact.id;
    let named =
        |space: &str, names: &[&[String]]| [vec![space.to_owned()], names.concat()].concat();
    let own = match id.kind {
        "table" | "foreign table" | "view" | "materialized view" | "sequence" | "index"
        | "enum" | "domain" | "composite type" | "range type" => named("relation", &[&id.names]),
        "table constraint" if matches!(fact.note("type"), Some("p" | "u" | "x")) => {
            named("relation", &[&id.names[..1], &id.names[2..]])
        }
        "function" | "procedure" | "aggregate" => named("routine", &[&id.names, &id.arguments]),
        kind => named(kind, &[&id.names, &id.arguments]),
    };
    // Two partitions of a table cannot hold the same rows.
    let bounds = (id.kind == "inheritance").then(|| named("bounds", &[&id.names[2..]]));
    [own].into_iter().chain(sequence_slot(fact)).chain(bounds).collect()
}

/// The name that the sequence of an identity column takes.
fn sequence_slot(fact: &Fact) -> Option<Vec<String>> {
    fact.text("identity").filter(|_| fact.id.kind == "column")?;
    let [schema, table, column] = &fact.id.names[..] else { return None };
    Some(vec!["relation".to_owned(), schema.clone(), format!("{table}_{column}_seq")])
}

/// The fact that ties the table of an inherited object to that of its origin.
fn attachment(facts: &Facts, fact: &Fact) -> Option<usize> {
    let table = |fact: &Fact| facts.parent(fact).map(|it| it.id.names.clone());
    let mut names = table(fact)?;
    names.extend(table(&facts.all[fact.origin?])?);
    facts.find(&crate::identity::Identity::new("inheritance", &names))
}
