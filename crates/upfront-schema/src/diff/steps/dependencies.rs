//! Which step waits for which.

use std::collections::{HashMap, HashSet};

use crate::{
    catalog::facts::{Dependency, Fact, Facts},
    diff::{
        actions::Action,
        steps::{Steps, attachment},
    },
    kinds::{
        object_kind::ObjectKind, privileges, registry, sequence_replacement::SequenceReplacement,
    },
};

impl Steps<'_> {
    pub(super) fn add_dependencies(&mut self) {
        for user in 0..self.a().all.len() {
            for &(base, how) in &self.a().uses[user] {
                if how != Dependency::CreatedAfter {
                    self.wait_before(user, base);
                }
            }
        }
        for user in 0..self.b().all.len() {
            for &(base, how) in &self.b().uses[user] {
                if how != Dependency::OnlyDroppedWith {
                    self.wait_after(user, base);
                }
            }
            if let Some(origin) = self.b().all[user].origin {
                self.wait_after(user, origin);
            }
        }
        self.wait_around_detachment();
        self.wait_for_other_keys();
        self.wait_for_names();
        self.wait_for_successions();
        self.wait_for_attachment();
        self.wait_for_persistence();
        self.wait_for_revocations();
        self.wait_for_columns();
    }

    /// A list of aliases by position is for the columns that there are in the end.
    fn wait_for_columns(&mut self) {
        let b = self.b();
        for (at, fact) in b.all.iter().enumerate() {
            let relations = fact.notes.get("columns_of").and_then(serde_json::Value::as_array);
            let steps = [self.creates.get(&at), self.alters[1].get(&at)];
            let steps: Vec<_> = steps.into_iter().flatten().copied().collect();
            for relation in relations.into_iter().flatten() {
                let is_column = |it: &Fact| {
                    let own = serde_json::json!(it.id.names.get(..2));
                    it.id.kind == ObjectKind::Column && own == *relation
                };
                let drops = steps_of(&self.drops, self.a(), is_column);
                let creates = steps_of(&self.creates, b, is_column);
                for (first, second) in [drops, creates]
                    .concat()
                    .iter()
                    .flat_map(|it| steps.iter().map(move |to| (*it, *to)))
                {
                    if !self.graph.reaches(second, first) {
                        self.graph.precede(first, second);
                    }
                }
            }
        }
    }

    /// A partition whose bound changes takes part in the changes of its parent before it is detached
    /// and attached again; one that is detached for good, in none.
    fn wait_around_detachment(&mut self) {
        for (at, action) in self.actions.all.iter().enumerate() {
            let fact = &self.actions.a.all[at];
            if fact.id.kind != ObjectKind::Inheritance {
                continue;
            }
            let above = ancestors(self.actions.a, &fact.id.names[2..]);
            let on_parent =
                self.steps_on(|it| it.id.names.len() == 3 && above.contains(&it.id.names[..2]));
            let child_stays = fact.parent.is_some_and(|it| !self.drops.contains_key(&it));
            if let (Action::Drop, true) = (action, child_stays) {
                let child = &fact.id.names[..2];
                let is_childs = |it: &Fact| it.id.names.len() == 3 && it.id.names[..2] == *child;
                for step in self.steps_on(is_childs) {
                    self.graph.precede(self.drops[&at], step);
                }
            }
            for step in on_parent {
                match action {
                    Action::Replace => self.graph.precede(step, self.drops[&at]),
                    Action::Drop if child_stays => self.graph.precede(self.drops[&at], step),
                    _ => {}
                }
            }
        }
    }

    /// A foreign key that is made again must not find the key that is about to go.
    fn wait_for_other_keys(&mut self) {
        for &at in self.drops.keys() {
            let Some(create) = self.actions.counterpart(at).and_then(|it| self.creates.get(&it))
            else {
                continue;
            };
            for (base, _) in &self.actions.a.uses[at] {
                let is_key = self.actions.a.all[*base].id.kind == ObjectKind::TableConstraint;
                if let Some(drop) = self.drops.get(base).filter(|_| is_key) {
                    self.graph.precede(*drop, *create);
                }
            }
        }
    }

    /// What is taken from a role on a table is taken on its columns too, so these come later.
    fn wait_for_revocations(&mut self) {
        for facts in [self.actions.a, self.actions.b] {
            let on = facts.all.iter().filter(|it| {
                it.id.kind == ObjectKind::Privileges
                    && it.id.target_kind() == Some(ObjectKind::Column)
            });
            for fact in on {
                let firsts = self.steps_on(|it| privileges::is_on_table_of(it, fact));
                let seconds = self.steps_on(|it| it.id == fact.id);
                for (first, second) in
                    firsts.iter().flat_map(|it| seconds.iter().map(move |to| (*it, *to)))
                {
                    // The columns of a view that is made again lose theirs with the old one.
                    if !self.graph.reaches(second, first) {
                        self.graph.precede(first, second);
                    }
                }
            }
        }
    }

    /// A sequence is there until its successor knows where it stands. That of an identity column is
    /// part of the column's step.
    fn wait_for_successions(&mut self) {
        let columns: Vec<_> = self.alters[1].iter().map(|(at, step)| (*at, *step)).collect();
        for (at, column) in columns {
            let fact = &self.actions.b.all[at];
            let it = (fact.id.kind == ObjectKind::Column)
                .then(|| SequenceReplacement::of_column(self.actions.a, self.actions.b, fact));
            let Some(it) = it.flatten() else { continue };
            if let Some(create) = it.new_sequence().and_then(|it| self.actions.b.find(&it.id))
                && it.is_from_identity()
            {
                self.graph.precede(column, self.creates[&create]);
            }
            let old = it.old_sequence().and_then(|it| self.actions.a.find(&it.id));
            if let (Some(drop), true) =
                (old.and_then(|it| self.drops.get(&it)), it.is_to_identity())
            {
                self.graph.precede(*drop, column);
            }
        }
        for (&at, &create) in &self.creates {
            let fact = &self.actions.b.all[at];
            let it = (fact.id.kind == ObjectKind::Sequence)
                .then(|| SequenceReplacement::of_new(self.actions.a, self.actions.b, fact));
            let old = it.flatten().and_then(|it| self.actions.a.find(&it.old_sequence()?.id));
            if let Some(drop) = old.and_then(|it| self.drops.get(&it)) {
                self.graph.precede(create, *drop);
            }
        }
    }

    /// A table that is logged must not refer to one that is not.
    fn wait_for_persistence(&mut self) {
        let changes = |it: &Self, old: usize| {
            let counterpart = it.actions.counterpart(old)?;
            let persistence = |fact: &Fact| fact.text("persistence").map(str::to_owned);
            let (old_fact, new) = (&it.a().all[old], &it.b().all[counterpart]);
            let differs = persistence(old_fact) != persistence(new);
            let step = it.alters[0].get(&old).copied().filter(|_| differs);
            step.map(|step| (step, persistence(new).is_some()))
        };
        for (at, key) in self.actions.a.all.iter().enumerate() {
            if key.note("type") != Some("f") || self.drops.contains_key(&at) {
                continue;
            }
            let Some(own) = key.parent.and_then(|it| changes(self, it)) else { continue };
            for (base, _) in &self.actions.a.uses[at] {
                let table = self.actions.a.all[*base].parent;
                if let Some(other) = table.and_then(|it| changes(self, it)) {
                    match own.1 {
                        true => self.graph.precede(own.0, other.0),
                        false => self.graph.precede(other.0, own.0),
                    }
                }
            }
        }
    }

    pub(super) fn steps_on(&self, is: impl Fn(&Fact) -> bool + Copy) -> Vec<usize> {
        let a = steps_of(&self.drops, self.actions.a, is);
        let alters = steps_of(&self.alters[1], self.actions.b, is);
        [a, alters, steps_of(&self.creates, self.actions.b, is)].concat()
    }

    /// In the first schema: users leave before what they use does.
    fn wait_before(&mut self, user: usize, base: usize) {
        let drop = self.drops.get(&user).copied();
        let alter = self.alters[0].get(&user).copied();
        let gone = self.drops.get(&base).copied();
        // A new label disturbs nobody.
        let is_enum = self.actions.a.all[base].id.kind == ObjectKind::Enum;
        // Nor does a column its sequence.
        let is_owned = self.actions.a.all[base].id.kind == ObjectKind::Column
            && matches!(
                self.actions.a.all[user].id.kind,
                ObjectKind::Sequence | ObjectKind::SequenceOwner
            );
        let changed = self.alters[0].get(&base).copied().filter(|_| !is_enum && !is_owned);
        let swapped = matches!(self.actions.all[base], Action::Swap)
            .then(|| self.actions.counterpart(base).and_then(|it| self.creates.get(&it).copied()))
            .flatten();
        let user_is_swapped = matches!(self.actions.all[user], Action::Swap);
        let ends = [gone, changed, swapped.filter(|_| !user_is_swapped)];
        for (first, second) in ends.into_iter().map(|end| (drop, end)).chain([(alter, gone)]) {
            if let (Some(first), Some(second)) = (first, second) {
                self.graph.precede(first, second);
            }
        }
    }

    /// In the second: what is used is there before its users come.
    fn wait_after(&mut self, user: usize, base: usize) {
        let firsts = [self.creates.get(&base).copied(), self.alters[1].get(&base).copied()];
        let seconds = [self.creates.get(&user).copied(), self.alters[1].get(&user).copied()];
        for first in firsts.into_iter().flatten() {
            for second in seconds.into_iter().flatten() {
                self.graph.precede(first, second);
            }
        }
    }

    /// What takes a name waits until the name is free.
    fn wait_for_names(&mut self) {
        let mut held: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        for (&at, &step) in &self.drops {
            if !matches!(self.actions.all[at], Action::Swap) {
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
                self.graph.precede(drop, step);
            }
        }
        self.wait_for_users_of_the_swapped();
    }

    fn wait_for_users_of_the_swapped(&mut self) {
        for (at, action) in self.actions.all.iter().enumerate() {
            if let (Action::Swap, Some(counterpart)) = (action, self.actions.counterpart(at)) {
                self.graph.precede(self.creates[&counterpart], self.drops[&at]);
            }
        }
    }

    /// What comes along with the attachment of its table is there after it, and what came along may
    /// only go on its own after the table is detached.
    fn wait_for_attachment(&mut self) {
        let creates: Vec<_> = self.creates.iter().map(|(at, step)| (*at, *step)).collect();
        for (at, step) in creates {
            let fact = &self.b().all[at];
            if matches!(fact.id.kind, ObjectKind::Column | ObjectKind::DefaultValue)
                || fact.origin.is_none()
            {
                continue;
            }
            let attached = attachment(self.b(), fact).and_then(|it| self.creates.get(&it).copied());
            // A table that is there needs the checks of the one above before it comes under it.
            let is_needed = fact.note("type") == Some("c")
                && fact.parent.is_some_and(|it| !self.creates.contains_key(&it));
            match (attached, is_needed) {
                (Some(attached), true) => self.graph.precede(step, attached),
                (Some(attached), false) => self.graph.precede(attached, step),
                (None, _) => {}
            }
        }
        for (&at, &step) in &self.drops {
            let fact = &self.actions.a.all[at];
            let detached = attachment(self.actions.a, fact).filter(|it| self.leaves(fact, *it));
            let Some(detach) = detached.and_then(|it| self.drops.get(&it)) else { continue };
            self.graph.precede(*detach, step);
            let above = fact.origin.filter(|_| fact.id.kind == ObjectKind::Index);
            if let Some(above) = above.and_then(|it| self.drops.get(&it)) {
                self.graph.precede(*detach, *above);
            }
        }
    }

    /// Whether something of the first schema is detached with its table before the object above it
    /// goes. A partition with another bound is in time for what comes from above, unless its own
    /// table has left that: then its indexes do not go along.
    pub(super) fn leaves(&self, fact: &Fact, attached: usize) -> bool {
        match self.actions.all[attached] {
            Action::Drop => true,
            Action::Replace => {
                let above = fact.origin.filter(|_| fact.id.kind == ObjectKind::Index);
                let above = above.map(|it| &self.actions.a.all[it]);
                above.is_some_and(|it| {
                    attachment(self.actions.a, it).is_some_and(|to| self.leaves(it, to))
                })
            }
            _ => false,
        }
    }
}

/// A table and those that it inherits from, at whatever height.
pub(super) fn ancestors<'a>(facts: &'a Facts, table: &'a [String]) -> HashSet<&'a [String]> {
    let mut found = HashSet::from([table]);
    loop {
        let before = found.len();
        let edges =
            facts.iter().filter(|it| it.id.kind == ObjectKind::Inheritance).map(|it| &it.id.names);
        let above: Vec<_> =
            edges.filter(|it| found.contains(&it[..2])).map(|it| &it[2..]).collect();
        found.extend(above);
        if found.len() == before {
            return found;
        }
    }
}

fn steps_of(
    steps: &HashMap<usize, usize>,
    facts: &Facts,
    is: impl Fn(&Fact) -> bool,
) -> Vec<usize> {
    steps.iter().filter(|(at, _)| is(&facts.all[**at])).map(|(_, step)| *step).collect()
}

/// What no two objects of one database can share. The kind is the first part.
fn slots(fact: &Fact) -> Vec<Vec<String>> {
    let id = &fact.id;
    let named =
        |space: &str, names: &[&[String]]| [vec![space.to_owned()], names.concat()].concat();
    let relation = registry::relation_name(fact);
    let own = match id.kind {
        _ if relation.is_some() => named("relation", &[&relation.unwrap_or_default()]),
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => {
            named("routine", &[&id.names, &id.arguments])
        }
        kind => named(kind.name(), &[&id.names, &id.arguments]),
    };
    // Two partitions of a table cannot hold the same rows.
    let bounds = (id.kind == ObjectKind::Inheritance).then(|| named("bounds", &[&id.names[2..]]));
    let is_primary = id.kind == ObjectKind::TableConstraint && fact.note("type") == Some("p");
    let primary = is_primary.then(|| named("primary key", &[&id.names[..2]]));
    [own].into_iter().chain(sequence_slot(fact)).chain(bounds).chain(primary).collect()
}

/// The name that the sequence of an identity column takes.
fn sequence_slot(fact: &Fact) -> Option<Vec<String>> {
    fact.text("identity").filter(|_| fact.id.kind == ObjectKind::Column)?;
    let [schema, table, column] = &fact.id.names[..] else { return None };
    Some(vec!["relation".to_owned(), schema.clone(), format!("{table}_{column}_seq")])
}
