//! One order for all steps: by what uses what, before and after.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use crate::error::{Kind, Result};

/// What decides between steps that could come next, smallest first.
pub(crate) type Rank = (u32, String);

/// Steps and which of them wait for which.
#[derive(Default)]
pub(crate) struct Graph {
    after: Vec<HashSet<usize>>,
    before: Vec<HashSet<usize>>,
    /// The step that does the work of this one too.
    host: Vec<Option<usize>>,
    /// Those that wait until the other is committed.
    commits: HashSet<(usize, usize)>,
    /// Those that run outside of any transaction.
    alone: HashSet<usize>,
}

impl Graph {
    pub(crate) fn new(steps: usize) -> Self {
        Self {
            after: vec![HashSet::new(); steps],
            before: vec![HashSet::new(); steps],
            host: vec![None; steps],
            ..Self::default()
        }
    }

    /// One more step.
    pub(crate) fn add(&mut self) -> usize {
        self.after.push(HashSet::new());
        self.before.push(HashSet::new());
        self.host.push(None);
        self.host.len() - 1
    }

    /// The second waits for the first.
    pub(crate) fn precede(&mut self, first: usize, second: usize) {
        if first != second {
            self.after[first].insert(second);
            self.before[second].insert(first);
        }
    }

    /// The second waits until the first is committed.
    pub(crate) fn precede_with_commit(&mut self, first: usize, second: usize) {
        self.precede(first, second);
        self.commits.insert((first, second));
    }

    /// The second does not wait for the first any more.
    pub(crate) fn unlink(&mut self, first: usize, second: usize) {
        self.after[first].remove(&second);
        self.before[second].remove(&first);
    }

    /// One step becomes part of another, with its predecessors and successors.
    pub(crate) fn combine(&mut self, step: usize, into: usize) {
        for it in self.successors(step) {
            match self.commits.contains(&(step, it)) {
                true => self.precede_with_commit(into, it),
                false => self.precede(into, it),
            }
            self.unlink(step, it);
        }
        for it in self.predecessors(step) {
            match self.commits.contains(&(it, step)) {
                true => self.precede_with_commit(it, into),
                false => self.precede(it, into),
            }
            self.unlink(it, step);
        }
    }

    /// The step runs outside of any transaction.
    pub(crate) fn run_alone(&mut self, step: usize) {
        self.alone.insert(step);
    }

    /// The steps that wait for this one.
    pub(crate) fn successors(&self, step: usize) -> Vec<usize> {
        let mut all: Vec<_> = self.after[step].iter().copied().collect();
        all.sort_unstable();
        all
    }

    /// The steps that this one waits for.
    pub(crate) fn predecessors(&self, step: usize) -> Vec<usize> {
        let mut all: Vec<_> = self.before[step].iter().copied().collect();
        all.sort_unstable();
        all
    }

    /// Lets one step do the work of another, unless something has to happen between them.
    pub(crate) fn try_merge(&mut self, guest: usize, host: usize) -> bool {
        let host = self.host(host);
        if guest == host || self.host[guest].is_some() || self.is_between(guest, host) {
            return false;
        }
        for it in std::mem::take(&mut self.after[guest]) {
            self.before[it].remove(&guest);
            self.precede(host, it);
        }
        for it in std::mem::take(&mut self.before[guest]) {
            self.after[it].remove(&guest);
            self.precede(it, host);
        }
        self.host[guest] = Some(host);
        true
    }

    /// The step in which the work is done.
    pub(crate) fn host(&self, mut step: usize) -> usize {
        while let Some(host) = self.host[step] {
            step = host;
        }
        step
    }

    /// Whether the second waits for the first, be it over others.
    pub(crate) fn reaches(&self, first: usize, second: usize) -> bool {
        self.after[first].contains(&second) || self.reaches_indirectly(first, second)
    }

    /// Whether one leads to the other over a third.
    fn is_between(&self, one: usize, two: usize) -> bool {
        self.reaches_indirectly(one, two) || self.reaches_indirectly(two, one)
    }

    fn reaches_indirectly(&self, from: usize, to: usize) -> bool {
        let mut open: Vec<_> = self.after[from].iter().copied().filter(|it| *it != to).collect();
        let mut seen: HashSet<_> = open.iter().copied().collect();
        while let Some(it) = open.pop() {
            if it == to {
                return true;
            }
            open.extend(self.after[it].iter().copied().filter(|next| seen.insert(*next)));
        }
        false
    }

    /// In which part of the plan each step runs: the even ones are transactions, in the odd ones
    /// each statement stands alone. As early as can be; those of `late` as late as nobody else has
    /// to wait for it.
    pub(crate) fn phases(&self, late: &HashSet<usize>) -> Vec<u32> {
        let order = self.any_order();
        let mut phases = vec![0; self.after.len()];
        for &step in &order {
            let bound = |it: &usize| phases[*it] + u32::from(self.commits.contains(&(*it, step)));
            let first = self.before[step].iter().map(bound).max().unwrap_or_default();
            phases[step] = first + u32::from(self.is_off(step, first));
        }
        for &step in order.iter().rev().filter(|it| late.contains(it)) {
            let bound = |it: &usize| {
                phases[*it].saturating_sub(u32::from(self.commits.contains(&(step, *it))))
            };
            let last = self.after[step].iter().map(bound).min().unwrap_or_default();
            let last = last.saturating_sub(u32::from(self.is_off(step, last)));
            phases[step] = phases[step].max(last);
        }
        phases
    }

    /// Moves what shares its phase with some steps, and need not come before them, into the next one.
    pub(crate) fn isolate(&self, apart: &[bool], phases: &mut [u32]) {
        let mut done = 0;
        loop {
            let own = |it: &usize| apart[*it] && phases[*it] >= done;
            let Some(phase) = (0..phases.len()).filter(own).map(|it| phases[it]).min() else {
                return;
            };
            let needed = self.needed(|it| apart[it] && phases[it] == phase);
            let shares = |it: &usize| phases[*it] == phase && !needed.contains(it);
            let others: HashSet<_> = (0..phases.len()).filter(shares).collect();
            for it in others {
                phases[it] += 2;
            }
            self.propagate(phases);
            done = phase + 1;
        }
    }

    /// Lets those that wait for others that have moved move too.
    fn propagate(&self, phases: &mut [u32]) {
        for step in self.any_order() {
            let bound = |it: &usize| phases[*it] + u32::from(self.commits.contains(&(*it, step)));
            let first = self.before[step].iter().map(bound).max().unwrap_or_default();
            let first = first + u32::from(self.is_off(step, first));
            phases[step] = phases[step].max(first);
        }
    }

    /// Some steps, and those that they wait for.
    fn needed(&self, by: impl Fn(usize) -> bool) -> HashSet<usize> {
        let mut open: Vec<_> = (0..self.before.len()).filter(|it| by(*it)).collect();
        let mut seen: HashSet<_> = open.iter().copied().collect();
        while let Some(it) = open.pop() {
            open.extend(self.before[it].iter().copied().filter(|next| seen.insert(*next)));
        }
        seen
    }

    /// Whether a phase is not one for the step.
    fn is_off(&self, step: usize, phase: u32) -> bool {
        (phase % 2 == 1) != self.alone.contains(&step)
    }

    /// The steps so that each comes after those that it waits for; not those of a cycle.
    fn any_order(&self) -> Vec<usize> {
        let mut open: Vec<_> = self.before.iter().map(HashSet::len).collect();
        let mut order: Vec<_> = (0..open.len()).filter(|it| open[*it] == 0).collect();
        let mut done = 0;
        while let Some(&step) = order.get(done) {
            done += 1;
            for &it in &self.after[step] {
                open[it] -= 1;
                if open[it] == 0 {
                    order.push(it);
                }
            }
        }
        order
    }

    /// The steps in order, phase by phase. Where several could come next, one that continues the statement before
    /// it does, and otherwise the one of the lowest rank.
    pub(crate) fn order(
        &self,
        ranks: &[Rank],
        heads: &[Option<String>],
        phases: &[u32],
    ) -> std::result::Result<Vec<usize>, Vec<usize>> {
        let mut open: Vec<_> = self.before.iter().map(HashSet::len).collect();
        let mut ready =
            Ready { ranks, heads, phases, all: BTreeSet::new(), by_head: HashMap::new() };
        let hosts = (0..self.host.len()).filter(|it| self.host[*it].is_none());
        let hosts: Vec<_> = hosts.collect();
        hosts.iter().filter(|it| open[**it] == 0).for_each(|it| ready.add(*it));
        let mut order = Vec::new();
        while let Some(step) = ready.next(order.last().copied()) {
            order.push(step);
            for &it in &self.after[step] {
                open[it] -= 1;
                if open[it] == 0 {
                    ready.add(it);
                }
            }
        }
        match order.len() == hosts.len() {
            true => Ok(order),
            false => Err(self.cycle(&order)),
        }
    }

    /// The members of the smallest cycle among what could not be ordered.
    fn cycle(&self, done: &[usize]) -> Vec<usize> {
        let done: HashSet<_> = done.iter().copied().collect();
        let mut graph = DiGraph::<usize, ()>::new();
        let nodes: BTreeMap<_, _> = (0..self.after.len())
            .filter(|it| !done.contains(it) && self.host[*it].is_none())
            .map(|it| (it, graph.add_node(it)))
            .collect();
        for (it, node) in &nodes {
            for next in self.after[*it].iter().filter_map(|it| nodes.get(it)) {
                graph.add_edge(*node, *next, ());
            }
        }
        let cycles = tarjan_scc(&graph).into_iter().filter(|it| it.len() > 1);
        let cycle = cycles.min_by_key(Vec::len).unwrap_or_default();
        cycle.into_iter().map(|it| graph[it]).collect()
    }
}

/// The steps that wait for nothing.
struct Ready<'a> {
    ranks: &'a [Rank],
    heads: &'a [Option<String>],
    phases: &'a [u32],
    all: BTreeSet<Key<'a>>,
    by_head: HashMap<&'a str, BTreeSet<Key<'a>>>,
}

/// Phase, rank and step.
type Key<'a> = (u32, &'a Rank, usize);

impl Ready<'_> {
    fn add(&mut self, step: usize) {
        let key = (self.phases[step], &self.ranks[step], step);
        self.all.insert(key);
        if let Some(head) = &self.heads[step] {
            self.by_head.entry(head).or_default().insert(key);
        }
    }

    fn next(&mut self, last: Option<usize>) -> Option<usize> {
        let head = last.and_then(|it| self.heads[it].as_deref());
        let same = head.and_then(|it| self.by_head.get(it)).and_then(|it| it.first().copied());
        let same = same.filter(|it| last.is_some_and(|last| self.phases[last] == it.0));
        let key = same.or_else(|| self.all.first().copied())?;
        self.all.remove(&key);
        if let Some(it) = self.heads[key.2].as_deref().and_then(|it| self.by_head.get_mut(it)) {
            it.remove(&key);
        }
        Some(key.2)
    }
}

/// The error for steps that wait for each other.
pub(crate) fn cycle<T>(names: Vec<String>) -> Result<T> {
    Err(Kind::Cycle(names).into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Graph;

    /// Steps are numbers, edges pairs; a step with a letter continues others of that letter.
    fn order(
        steps: usize,
        edges: &[(usize, usize)],
        heads: &str,
    ) -> Result<Vec<usize>, Vec<usize>> {
        let mut graph = Graph::new(steps);
        for &(first, second) in edges {
            graph.precede(first, second);
        }
        let ranks: Vec<_> = (0..steps).map(|it| (0, it.to_string())).collect();
        let head = |it: char| (it != '-').then(|| it.to_string());
        let phases = graph.phases(&HashSet::new());
        graph.order(&ranks, &heads.chars().map(head).collect::<Vec<_>>(), &phases)
    }

    #[test]
    fn orders_by_edges_and_then_by_rank() {
        assert_eq!(order(3, &[], "---"), Ok(vec![0, 1, 2]));
        assert_eq!(order(3, &[(2, 0)], "---"), Ok(vec![1, 2, 0]));
    }

    #[test]
    fn continues_a_statement() {
        assert_eq!(order(3, &[], "a-a"), Ok(vec![0, 2, 1]));
        assert_eq!(order(3, &[(1, 2)], "a-a"), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn names_a_cycle() {
        let mut cycle = order(4, &[(0, 1), (1, 0), (1, 2), (3, 0)], "----").unwrap_err();
        cycle.sort_unstable();
        assert_eq!(cycle, [0, 1]);
    }

    #[test]
    fn divides_into_phases() {
        let mut graph = Graph::new(5);
        graph.run_alone(1);
        graph.precede(0, 1);
        graph.precede(1, 2);
        graph.precede_with_commit(2, 3);
        graph.precede(4, 3);
        assert_eq!(graph.phases(&HashSet::new()), [0, 1, 2, 4, 0]);
        assert_eq!(graph.phases(&HashSet::from([4])), [0, 1, 2, 4, 4]);
        graph.run_alone(4);
        assert_eq!(graph.phases(&HashSet::from([4])), [0, 1, 2, 4, 3]);
    }

    #[test]
    fn sets_steps_apart() {
        let mut graph = Graph::new(5);
        graph.precede_with_commit(0, 1);
        graph.precede_with_commit(0, 2);
        graph.precede_with_commit(1, 3);
        graph.precede(4, 1);
        let mut phases = graph.phases(&HashSet::new());
        assert_eq!(phases, [0, 2, 2, 4, 0]);
        graph.isolate(&[false, true, false, false, false], &mut phases);
        assert_eq!(phases, [0, 2, 4, 4, 0]);
    }

    #[test]
    fn folds_unless_something_is_between() {
        let mut graph = Graph::new(3);
        graph.precede(0, 1);
        graph.precede(1, 2);
        assert!(!graph.try_merge(2, 0));
        assert!(graph.try_merge(1, 0));
        assert!(graph.try_merge(2, 0));
        assert_eq!(graph.host(2), 0);
    }
}
