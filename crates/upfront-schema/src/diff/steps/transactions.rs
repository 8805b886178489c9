//! Steps cut into pieces where a transaction ends.

use std::collections::BTreeMap;

use crate::{
    diff::steps::{Steps, Verb},
    kinds::{self, Nature},
    options::Strategy,
    sql::{Place, Sql},
};

/// Statements of one step that run together.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) step: usize,
    pub(super) sql: Vec<Sql>,
}

impl Piece {
    /// How its first statement stands to the piece before.
    pub(super) fn place(&self) -> &Place {
        self.sql.first().map_or(&Place::Along, |it| &it.place)
    }

    fn is_sequel(&self) -> bool {
        self.sql.first().is_some_and(|it| it.is_sequel)
    }

    fn stands_alone(&self) -> bool {
        matches!(self.place(), Place::Outside(_))
    }

    /// Whether the statement goes on with it.
    fn takes(&self, next: &Sql) -> bool {
        self.is_sequel() == next.is_sequel
            && match next.place {
                Place::Along => *self.place() == Place::Along,
                Place::Outside(_) => self.stands_alone(),
                Place::Validates | Place::Fills => false,
            }
    }
}

impl Steps<'_> {
    /// The pieces by their places in the graph. That of a step itself is the one by which its
    /// object is there.
    pub(super) fn pieces(&mut self) -> Vec<Piece> {
        let mut all: Vec<_> =
            (0..self.all.len()).map(|step| Piece { step, ..Piece::default() }).collect();
        let minding: Vec<_> = (0..self.all.len()).map(|it| self.minding(it)).collect();
        for (step, minding) in minding.into_iter().enumerate() {
            let pieces = cut(step, self.sql(step));
            let there = pieces.iter().rposition(|it| !it.is_sequel()).unwrap_or_default();
            let mut places = Vec::new();
            for (at, piece) in pieces.into_iter().enumerate() {
                let place = if at == there { step } else { self.graph.add() };
                all.resize_with(all.len().max(place + 1), Piece::default);
                if piece.stands_alone() {
                    self.graph.stand_alone(place);
                }
                all[place] = piece;
                places.push(place);
            }
            self.chain(step, &places, &all);
            // The index of a key may be built before its columns are NOT NULL.
            if let Some(&last) = places.last().filter(|it| **it != step) {
                for it in minding {
                    self.graph.wait(last, it);
                }
            }
        }
        let fills = self.fills_by_table(&mut all);
        self.fill_before_drops(&fills);
        all
    }

    /// The places where rows get values: one for each table once checks forbid NULL, as then no row
    /// can be written that still has one.
    fn fills_by_table(&mut self, all: &mut [Piece]) -> Vec<usize> {
        let fills = (0..all.len()).filter(|it| *all[*it].place() == Place::Fills);
        let fills: Vec<_> = fills.collect();
        if self.draft.options.strategy == Strategy::Plain {
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
                self.graph.merge(other, places[0]);
            }
        }
        tables.into_values().map(|it| it[0]).collect()
    }

    /// Lets the pieces follow each other, and the step's own neighbours keep their distance.
    fn chain(&mut self, step: usize, places: &[usize], all: &[Piece]) {
        let [first, _, ..] = places else { return };
        for it in self.graph.awaited(step) {
            if *first != step && !self.is_own_drop(it, step) {
                self.graph.let_go(it, step);
                self.graph.wait(it, *first);
            }
        }
        for pair in places.windows(2) {
            match self.ends_transaction(&all[pair[0]], &all[pair[1]]) {
                true => self.graph.wait_for_commit(pair[0], pair[1]),
                false => self.graph.wait(pair[0], pair[1]),
            }
        }
    }

    fn ends_transaction(&self, one: &Piece, next: &Piece) -> bool {
        let fills = [one, next].iter().any(|it| *it.place() == Place::Fills);
        *next.place() == Place::Validates || fills && self.draft.options.strategy != Strategy::Plain
    }

    /// The steps that wait for one and can only work once its rows are known to fit.
    fn minding(&self, step: usize) -> Vec<usize> {
        let minds = |it: &usize| {
            let step = self.all[*it];
            let fact = self.fact(step);
            let is_key = fact.id.kind == "table constraint" && fact.note("type") == Some("p");
            step.verb == Verb::Drop
                || is_key
                || matches!(fact.id.kind, "inheritance" | "replica identity")
        };
        self.graph.waiting(step).into_iter().filter(minds).collect()
    }

    /// What rows get may come from what is about to go.
    fn fill_before_drops(&mut self, fills: &[usize]) {
        let is_drop = |it: &usize| {
            let step = self.all[*it];
            step.verb == Verb::Drop && kinds::of(self.fact(step)).nature == Nature::Structure
        };
        let drops: Vec<_> = (0..self.all.len()).filter(is_drop).collect();
        for &fill in fills {
            for &drop in &drops {
                if self.graph.host(drop) == drop && !self.graph.leads(drop, fill) {
                    self.graph.wait(fill, drop);
                }
            }
        }
    }
}

fn cut(step: usize, sql: Vec<Sql>) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::new();
    for it in sql {
        match all.last_mut().filter(|piece| piece.takes(&it)) {
            Some(piece) => piece.sql.push(it),
            None => all.push(Piece { step, sql: vec![it] }),
        }
    }
    all
}
