//! Merging steps: a table is created and dropped with its columns.

use crate::{
    catalog::facts::{Dependency, Fact},
    diff::{
        actions::Action,
        steps::{Steps, attachment},
    },
    kinds::{object_kind::ObjectKind, registry},
};

impl Steps<'_> {
    /// Lets a step do what comes with it anyway.
    pub(super) fn merge_steps(&mut self) {
        let mut open: Vec<(usize, usize)> = self.drops_that_follow();
        open.extend(self.creates_within());
        loop {
            let before = open.len();
            open.retain(|&(guest, host)| !self.graph.try_merge(guest, host));
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
            let uses = self.a().uses[at].iter().filter(|(_, how)| {
                matches!(how, Dependency::DroppedWith | Dependency::OnlyDroppedWith)
            });
            let is_detached = attachment(self.a(), fact).is_some_and(|it| self.leaves(fact, it));
            let uses = uses.filter(|(used, _)| !is_detached || fact.origin != Some(*used));
            let hosts = uses.filter(|(base, _)| !matches!(self.actions.all[*base], Action::Swap));
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
            let parent = fact.parent.filter(|_| registry::of(fact).created_with_parent)?;
            let fits = match fact.id.kind {
                ObjectKind::Inheritance => self.may_be_born_attached(fact),
                ObjectKind::DefaultValue => {
                    let is_of_table = self.b().all[parent].id.kind == ObjectKind::Column;
                    is_of_table && fact.origin.is_none() && !self.is_inherited(parent)
                }
                ObjectKind::TableConstraint => {
                    self.b().all[parent].id.kind != ObjectKind::Column
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
        let mut columns =
            columns.filter(|it| it.id.kind == ObjectKind::Column && it.parent == Some(table));
        fact.text("bound").is_none() || columns.all(|it| it.origin.is_some())
    }
}
