//! Steps cut into pieces where a transaction ends.

use std::collections::BTreeMap;

use crate::{
    diff::steps::{
        Steps, Verb,
        step_part::{StepPart, cut},
    },
    kinds::object_kind::{ObjectKind, RecreatePolicy},
    options::Strategy,
    sql::Placement,
};

impl Steps<'_> {
    /// The pieces by their places in the graph. That of a step itself is the one by which its
    /// object is there.
    pub(super) fn parts(&mut self) -> Vec<StepPart> {
        let mut all: Vec<_> =
            (0..self.all.len()).map(|step| StepPart { step, ..StepPart::default() }).collect();
        let minding: Vec<_> = (0..self.all.len()).map(|it| self.minding(it)).collect();
        for (step, minding) in minding.into_iter().enumerate() {
            let parts = cut(step, self.sql(step));
            let there = parts.iter().rposition(|it| !it.is_follow_up()).unwrap_or_default();
            let mut places = Vec::new();
            for (at, part) in parts.into_iter().enumerate() {
                let place = if at == there { step } else { self.graph.add() };
                all.resize_with(all.len().max(place + 1), StepPart::default);
                if part.stands_alone() {
                    self.graph.run_alone(place);
                }
                all[place] = part;
                places.push(place);
            }
            self.chain(step, &places, &all);
            // The index of a key may be built before its columns are NOT NULL.
            if let Some(&last) = places.last().filter(|it| **it != step) {
                for it in minding {
                    self.graph.precede(last, it);
                }
            }
        }
        let fills = self.fills_by_table(&mut all);
        self.fill_before_drops(&fills);
        all
    }

    /// The places where rows get values: one for each table once checks forbid NULL, as then no row
    /// can be written that still has one.
    fn fills_by_table(&mut self, all: &mut [StepPart]) -> Vec<usize> {
        let fills = (0..all.len()).filter(|it| *all[*it].place() == Placement::Backfill);
        let fills: Vec<_> = fills.collect();
        if self.actions.options.strategy == Strategy::Plain {
            return fills;
        }
        let mut tables: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
        for it in fills {
            let fact = self.fact(self.all[all[it].step]);
            tables.entry(&fact.id.names[..2]).or_default().push(it);
        }
        for places in tables.values().filter(|it| it.len() > 1) {
            let columns: Vec<_> =
                places.iter().map(|it| self.fact(self.all[all[*it].step])).collect();
            all[places[0]].sql = vec![self.fill_all(&columns)];
            for &other in &places[1..] {
                all[other].sql.clear();
                self.graph.combine(other, places[0]);
            }
        }
        tables.into_values().map(|it| it[0]).collect()
    }

    /// Lets the pieces follow each other, and the step's own neighbours keep their distance.
    fn chain(&mut self, step: usize, places: &[usize], all: &[StepPart]) {
        let [first, _, ..] = places else { return };
        for it in self.graph.predecessors(step) {
            if *first != step && !self.is_own_drop(it, step) {
                self.graph.unlink(it, step);
                self.graph.precede(it, *first);
            }
        }
        for pair in places.windows(2) {
            match self.ends_transaction(&all[pair[0]], &all[pair[1]]) {
                true => self.graph.precede_with_commit(pair[0], pair[1]),
                false => self.graph.precede(pair[0], pair[1]),
            }
        }
    }

    fn ends_transaction(&self, one: &StepPart, next: &StepPart) -> bool {
        let fills = [one, next].iter().any(|it| *it.place() == Placement::Backfill);
        *next.place() == Placement::Validation
            || fills && self.actions.options.strategy != Strategy::Plain
    }

    /// The steps that wait for one and can only work once its rows are known to fit.
    fn minding(&self, step: usize) -> Vec<usize> {
        let minds = |it: &usize| {
            let step = self.all[*it];
            let fact = self.fact(step);
            let is_key =
                fact.id.kind == ObjectKind::TableConstraint && fact.note("type") == Some("p");
            step.verb == Verb::Drop
                || is_key
                || matches!(fact.id.kind, ObjectKind::Inheritance | ObjectKind::ReplicaIdentity)
        };
        self.graph.successors(step).into_iter().filter(minds).collect()
    }

    /// What rows get may come from what is about to go.
    fn fill_before_drops(&mut self, fills: &[usize]) {
        let is_drop = |it: &usize| {
            let step = self.all[*it];
            step.verb == Verb::Drop && self.fact(step).id.kind.recreate() == RecreatePolicy::Never
        };
        let drops: Vec<_> = (0..self.all.len()).filter(is_drop).collect();
        for &fill in fills {
            for &drop in &drops {
                if self.graph.host(drop) == drop && !self.graph.reaches(drop, fill) {
                    self.graph.precede(fill, drop);
                }
            }
        }
    }
}
