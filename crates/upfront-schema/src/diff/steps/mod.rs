//! The steps of a plan: what is dropped, altered and made, in order.

mod dependencies;
mod merge;
mod online;
mod online_state;
mod online_statements;
mod partitioned_indexes;
mod render;
mod step_part;
mod transactions;

use std::collections::{HashMap, HashSet};

use online_state::Online;
use step_part::StepPart;

use crate::{
    catalog::facts::{Fact, Facts},
    diff::{
        actions::Actions,
        graph::{self, Graph, Rank},
    },
    error::Result,
    kinds::{
        object_kind::{ObjectKind, RecreatePolicy},
        registry,
    },
    sql::{Placement, Sql},
};

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
pub(crate) struct PlannedStep<'a> {
    pub(crate) verb: Verb,
    pub(crate) fact: &'a Fact,
    pub(crate) sql: Vec<Sql>,
    /// As that of a statement.
    pub(crate) phase: u32,
}

pub(crate) struct Steps<'a> {
    actions: &'a Actions<'a>,
    all: Vec<Step>,
    drops: HashMap<usize, usize>,
    /// By the place in the first schema, and in the second.
    alters: [HashMap<usize, usize>; 2],
    creates: HashMap<usize, usize>,
    graph: Graph,
    online: Online,
}

/// All statements in the order in which they work.
pub(crate) fn order<'a>(actions: &'a Actions<'a>) -> Result<Vec<PlannedStep<'a>>> {
    let mut it = Steps::of(actions);
    it.add_dependencies();
    it.merge_steps();
    it.go_online();
    it.sorted()
}

impl<'a> Steps<'a> {
    fn of(actions: &'a Actions<'a>) -> Self {
        let mut it = Self {
            actions,
            all: Vec::new(),
            drops: HashMap::new(),
            alters: [HashMap::new(), HashMap::new()],
            creates: HashMap::new(),
            graph: Graph::default(),
            online: Online::default(),
        };
        it.collect();
        it.graph = Graph::new(it.all.len());
        it
    }

    fn collect(&mut self) {
        for (at, action) in self.actions.all.iter().enumerate() {
            let counterpart = self.actions.counterpart(at);
            if action.is_dropped() {
                let step = self.add(Verb::Drop, at);
                self.drops.insert(at, step);
            }
            if let (Some(counterpart), true) = (counterpart, action.is_made()) {
                let step = self.add(Verb::Create, counterpart);
                self.creates.insert(counterpart, step);
            }
            if let (Some(counterpart), Some(_)) = (counterpart, action.statements()) {
                let step = self.add(Verb::Alter, counterpart);
                self.alters[0].insert(at, step);
                self.alters[1].insert(counterpart, step);
            }
        }
        for at in 0..self.b().all.len() {
            if self.a().find(&self.b().all[at].id).is_none() {
                let step = self.add(Verb::Create, at);
                self.creates.insert(at, step);
            }
        }
        for at in 0..self.b().all.len() {
            let is_kept = !self.creates.contains_key(&at) && !self.alters[1].contains_key(&at);
            if is_kept && self.is_attached_by_hand(at) {
                let step = self.add(Verb::Alter, at);
                self.alters[1].insert(at, step);
            }
        }
    }

    fn add(&mut self, verb: Verb, at: usize) -> usize {
        self.all.push(Step { verb, at });
        self.all.len() - 1
    }

    fn a(&self) -> &'a Facts {
        self.actions.a
    }

    fn b(&self) -> &'a Facts {
        self.actions.b
    }

    fn sorted(mut self) -> Result<Vec<PlannedStep<'a>>> {
        let parts = self.parts();
        let ranks: Vec<_> = parts.iter().map(|it| self.rank_of(it)).collect();
        let heads: Vec<_> = parts.iter().map(|it| common_head(&it.sql)).collect();
        let mut phases = self.graph.phases(&self.late());
        if self.is_online() {
            let fills =
                parts.iter().map(|it| *it.place() == Placement::Backfill).collect::<Vec<_>>();
            self.graph.isolate(&fills, &mut phases);
        }
        let order = match self.graph.order(&ranks, &heads, &phases) {
            Ok(order) => order,
            Err(cycle) => {
                let names = cycle.into_iter().map(|it| self.name(parts[it].step)).collect();
                return graph::cycle(names);
            }
        };
        let mut parts: Vec<_> = parts.into_iter().map(Some).collect();
        let work = |at: usize| {
            let StepPart { step, sql } = parts[at].take().unwrap_or_default();
            let Step { verb, .. } = self.all[step];
            PlannedStep { verb, fact: self.fact(self.all[step]), sql, phase: phases[at] }
        };
        Ok(order.into_iter().map(work).filter(|it| !it.sql.is_empty()).collect())
    }

    /// Objects that are recreated are dropped shortly before, and constraints shortly before those
    /// that replace them.
    fn late(&self) -> HashSet<usize> {
        let drops = self.drops.iter().filter(|(at, _)| self.actions.all[**at].is_made());
        let drops = drops.map(|(_, step)| *step);
        drops.chain(self.unprotecting().into_iter().map(|(_, step)| step)).collect()
    }

    fn rank_of(&self, part: &StepPart) -> Rank {
        let (place, name) = self.rank(self.all[part.step]);
        match part.place() {
            Placement::Validation => (1, name),
            Placement::Backfill => (2900, name),
            Placement::SameTransaction | Placement::OutsideTransaction(_) => (place, name),
        }
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
        let definition = registry::of(fact);
        let creation_order = u32::from(definition.creation_order);
        let place = match (step.verb, fact.id.kind.recreate()) {
            // What has to be committed before it is used comes before everything else.
            (Verb::Alter, RecreatePolicy::BySwap) if definition.kind == ObjectKind::Enum => 0,
            (Verb::Drop, RecreatePolicy::Anytime) => 1000 - creation_order,
            (Verb::Create | Verb::Alter, _) => 2000 + creation_order,
            (Verb::Drop, _) => 4000 - creation_order,
        };
        // New columns stand among each other as they are wanted.
        let position = fact.notes.get("position").and_then(serde_json::Value::as_i64);
        let column = position.map(|it| format!("{} {it:05}", fact.id.owner_path()));
        (place, column.unwrap_or_else(|| fact.id.to_string()))
    }
}

/// The head of the statements, if they are clauses of one.
fn common_head(sql: &[Sql]) -> Option<String> {
    let head = sql.first()?.head.clone()?;
    sql.iter().all(|it| it.head.as_ref() == Some(&head)).then_some(head)
}

/// The fact that ties the table of an inherited object to that of its origin.
fn attachment(facts: &Facts, fact: &Fact) -> Option<usize> {
    let table = |fact: &Fact| Some(facts.parent(fact)?.id.names.get(..2)?.to_vec());
    let mut names = table(fact)?;
    names.extend(table(&facts.all[fact.origin?])?);
    facts.find(&crate::catalog::identity::Identity::new(ObjectKind::Inheritance, &names))
}
