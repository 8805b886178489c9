//! What takes time, done while programs read and write.

use crate::{
    catalog::{
        facts::{Fact, Facts},
        identity::Identity,
    },
    diff::{
        actions::Action,
        steps::{Step, Steps, Verb},
    },
    kinds::{constraint, object_kind::ObjectKind, registry},
    options::Strategy,
    quote,
    sql::{Placement, Sql},
};

/// Whether it keeps rows out.
fn protects(fact: &Fact) -> bool {
    let is_unique = fact.text("definition").is_some_and(|it| it.starts_with("CREATE UNIQUE "));
    fact.id.kind == ObjectKind::TableConstraint || fact.id.kind == ObjectKind::Index && is_unique
}

/// Whether it is a primary key or a replica identity.
fn needs_not_null(facts: &Facts, at: usize) -> bool {
    let is_identity = |it: &(usize, _)| facts.all[it.0].id.kind == ObjectKind::ReplicaIdentity;
    facts.all[at].note("type") == Some("p") || facts.users[at].iter().any(is_identity)
}

/// The table that something keeps rows out of, which is the one above where it came from there.
fn guarded(facts: &Facts, mut at: usize) -> Option<&Identity> {
    while let Some(above) = facts.all[at].origin {
        at = above;
    }
    facts.parent(&facts.all[at]).map(|it| &it.id)
}

impl Steps<'_> {
    /// Decides on what depends on the order of the steps.
    pub(super) fn go_online(&mut self) {
        if self.actions.options.strategy == Strategy::Plain {
            return;
        }
        let mut drops: Vec<_> = self.drops.iter().map(|(at, step)| (*at, *step)).collect();
        drops.sort_unstable();
        drops.retain(|(_, it)| self.graph.host(*it) == *it);
        for (at, step) in drops {
            let fact = &self.actions.a.all[at];
            match (fact.id.kind, fact.note("type")) {
                (ObjectKind::Index, _) => self.drop_index(at, step),
                (ObjectKind::TableConstraint, Some("p" | "u")) => self.replace_key(at),
                _ => {}
            }
        }
        self.find_proofs();
        self.keep_protected();
    }

    /// What forbids rows goes no sooner than what is to forbid them, so that at no commit in between
    /// a table takes what it took neither before nor takes after.
    fn keep_protected(&mut self) {
        let mut guards: Vec<_> = self.creates.iter().map(|(at, step)| (*at, *step)).collect();
        guards.sort_unstable();
        guards.retain(|(at, step)| self.graph.host(*step) == *step && protects(&self.b().all[*at]));
        // An object that is recreated under its own name is dropped in the same transaction.
        let mut drops = self.unprotecting();
        drops.retain(|(at, _)| !self.actions.all[*at].is_made());
        for (at, drop) in drops {
            let table = guarded(self.a(), at);
            let guards = guards.iter().filter(|(new, _)| guarded(self.b(), *new) == table);
            let guards: Vec<_> = guards.copied().collect();
            for &(new, _) in &guards {
                self.let_columns_change(at, new);
            }
            for (_, create) in guards {
                if !self.graph.reaches(drop, create) {
                    self.graph.precede(create, drop);
                }
            }
        }
    }

    /// The steps that take away what forbids rows of a table that stays.
    pub(super) fn unprotecting(&self) -> Vec<(usize, usize)> {
        let mut all: Vec<_> = self
            .drops
            .iter()
            .map(|(at, step)| (*at, self.graph.host(*step)))
            .filter(|(at, _)| {
                let fact = &self.a().all[*at];
                protects(fact) && fact.parent.is_none_or(|it| !self.actions.all[it].is_dropped())
            })
            .collect();
        all.sort_unstable();
        all
    }

    fn drop_index(&mut self, at: usize, step: usize) {
        let fact = &self.actions.a.all[at];
        if fact.origin.is_some() || !self.is_plain_and_stays(self.actions.a, fact) {
            return;
        }
        if self.becomes_key(at) {
            self.online.promoted.insert(at);
            return;
        }
        let waiting = self.graph.successors(step);
        let create = self.actions.counterpart(at).and_then(|it| self.creates.get(&it).copied());
        let is_comment = |it: &usize| {
            let step = self.all[*it];
            step.verb == Verb::Create && self.fact(step).id.kind == ObjectKind::Comment
        };
        match create {
            Some(create) if waiting.iter().all(|it| *it == create || is_comment(it)) => {
                for it in waiting {
                    self.graph.unlink(step, it);
                }
                self.graph.precede(create, step);
                let name = self.unused(fact.id.name(), "old");
                self.online.parted.insert(at, name);
                self.online.alone.insert(step);
            }
            None if waiting.is_empty() && self.actions.options.strategy == Strategy::Online => {
                self.online.alone.insert(step);
            }
            _ => {}
        }
    }

    /// Whether an index is just what a key of its name needs, and nobody else uses it.
    fn becomes_key(&self, at: usize) -> bool {
        let fact = &self.a().all[at];
        let mut names = self.a().parent(fact).map(|it| it.id.names.clone()).unwrap_or_default();
        names.push(fact.id.name().to_owned());
        let key =
            self.b().get(ObjectKind::TableConstraint, &names).filter(|it| self.is_built_before(it));
        let is_bare = fact.attributes.keys().all(|it| it == "definition");
        is_bare
            && self.a().users[at].is_empty()
            && key.is_some_and(|it| constraint::index_definition(it) == fact.text("definition"))
    }

    /// The index of the new key is built while the old one is there.
    fn replace_key(&mut self, at: usize) {
        self.replace_by_index(at);
        let counterpart = self.actions.counterpart(at).filter(|it| self.creates.contains_key(it));
        let Some(counterpart) =
            counterpart.filter(|it| self.is_built_before(&self.actions.b.all[*it]))
        else {
            return;
        };
        let name = self.unused(self.actions.b.all[counterpart].id.name(), "new");
        self.online.built.insert(counterpart, name);
        self.let_columns_change(at, counterpart);
    }

    /// An index that takes the name of a key is built under another one.
    fn replace_by_index(&mut self, at: usize) {
        let key = &self.actions.a.all[at];
        let names = [key.id.names[0].clone(), key.id.name().to_owned()];
        let index = self.b().find(&Identity::new(ObjectKind::Index, &names));
        let is_built = |it: &usize| {
            let index = &self.b().all[*it];
            let is_same =
                self.b().parent(index).map(|it| &it.id) == self.a().parent(key).map(|it| &it.id);
            let is_made = self.creates.contains_key(it);
            is_same && is_made && index.origin.is_none() && self.is_plain_and_stays(self.b(), index)
        };
        if let Some(index) = index.filter(is_built) {
            let name = self.unused(key.id.name(), "new");
            self.online.built.insert(index, name);
        }
    }

    /// A column may become NOT NULL or not while what forbids rows is on it, unless that is a primary
    /// key or a replica identity: neither waits for the other.
    fn let_columns_change(&mut self, old: usize, new: usize) {
        let drop = self.graph.host(self.drops[&old]);
        if drop == self.drops[&old] && !needs_not_null(self.a(), old) {
            for it in self.altering_columns(self.graph.successors(drop)) {
                self.graph.unlink(drop, it);
            }
        }
        let create = self.creates[&new];
        if !needs_not_null(self.b(), new) {
            for it in self.altering_columns(self.graph.predecessors(create)) {
                self.graph.unlink(it, create);
            }
        }
    }

    /// Those of the steps in which a column changes that is there, and not its type.
    fn altering_columns(&self, mut steps: Vec<usize>) -> Vec<usize> {
        steps.retain(|step| {
            let Step { verb, at } = self.all[*step];
            let old = (verb == Verb::Alter).then(|| self.a().find(&self.b().all[at].id)).flatten();
            let is_alter = old.is_some_and(|it| matches!(self.actions.all[it], Action::Alter(_)));
            is_alter && self.b().all[at].id.kind == ObjectKind::Column
        });
        steps
    }

    /// Whether the first step only makes place for the second one, which has no need of it before
    /// its last piece.
    pub(super) fn is_own_drop(&self, first: usize, second: usize) -> bool {
        let [Some(&first), Some(&second)] = [first, second].map(|it| self.all.get(it)) else {
            return false;
        };
        if (first.verb, second.verb) != (Verb::Drop, Verb::Create) {
            return false;
        }
        let (old, new) = (self.fact(first), self.fact(second));
        let is_same_table =
            self.a().parent(old).map(|it| &it.id) == self.b().parent(new).map(|it| &it.id);
        let is_key = |it: &Fact| matches!(it.note("type"), Some("p" | "u" | "x"));
        let has_other_name = registry::relation_name(old) != registry::relation_name(new)
            && is_key(new)
            && self.is_built_before(new);
        let is_built = has_other_name || self.online.built.contains_key(&second.at);
        is_key(old) && is_same_table && is_built
    }

    /// A check that already says that a column is not NULL saves the reading of all rows, so it
    /// goes after that.
    fn find_proofs(&mut self) {
        for (&at, action) in &self.alters[1].clone() {
            let fact = &self.actions.b.all[at];
            if fact.id.kind != ObjectKind::Column || !self.is_there(self.actions.b, fact) {
                continue;
            }
            let Some(proof) = self.proof(fact) else { continue };
            self.online.proofs.insert(at);
            let drop = self.drops.get(&proof).copied();
            if let Some(drop) = drop.filter(|it| self.graph.host(*it) == *it) {
                self.graph.unlink(drop, *action);
                self.graph.precede(*action, drop);
            }
        }
    }

    fn proof(&self, column: &Fact) -> Option<usize> {
        let old = self.a().find(&column.id)?;
        let becomes = column.is("not_null") && !self.a().all[old].is("not_null");
        if !becomes || !matches!(self.actions.all[old], Action::Alter(_)) {
            return None;
        }
        let text = format!("CHECK (({} IS NOT NULL))", quote::name(column.id.name()));
        let is_it = |at: &usize| {
            let it = &self.a().all[*at];
            let is_own = it.id.kind == ObjectKind::TableConstraint
                && it.id.names[..2] == column.id.names[..2];
            is_own && it.text("definition") == Some(&text) && !it.is("not_valid")
        };
        self.a().users[old].iter().map(|(at, _)| *at).find(is_it)
    }

    /// A drop of an index as it stands now.
    pub(super) fn index_drop(&self, at: usize, fact: &Fact) -> Option<Vec<Sql>> {
        if self.online.promoted.contains(&at) {
            return Some(Vec::new());
        }
        self.drops.get(&at).filter(|it| self.online.alone.contains(it))?;
        let table = self.actions.a.parent(fact).map(|it| it.id.path())?;
        let mut id = fact.id.clone();
        if let Some(name) = self.online.parted.get(&at) {
            id.names.pop();
            id.names.push(name.clone());
        }
        let sql = Sql::whole(format!("DROP INDEX CONCURRENTLY {}", id.path()));
        Some(vec![sql.at(Placement::OutsideTransaction(table))])
    }

    pub(super) fn is_built_before(&self, fact: &Fact) -> bool {
        let is_tree =
            constraint::index_definition(fact).is_some_and(|it| it.contains(" USING btree "));
        self.is_online() && is_tree && self.is_plain_and_stays(self.b(), fact)
    }

    pub(super) fn is_online(&self) -> bool {
        self.actions.options.strategy != Strategy::Plain
    }

    /// Whether the table of something was there before, and stays.
    pub(super) fn is_there(&self, facts: &Facts, of: &Fact) -> bool {
        let table = facts
            .parent(of)
            .filter(|it| matches!(it.id.kind, ObjectKind::Table | ObjectKind::MaterializedView));
        let old = table.and_then(|it| self.a().find(&it.id));
        old.is_some_and(|it| !self.actions.all[it].is_dropped())
    }

    /// The same of a table that holds rows itself.
    pub(super) fn is_plain_and_stays(&self, facts: &Facts, of: &Fact) -> bool {
        let table = facts.parent(of);
        self.is_there(facts, of)
            && table.is_some_and(|it| !it.attributes.contains_key("partition_key"))
    }

    /// A name that neither schema has, and that the server does not cut.
    pub(super) fn unused(&self, name: &str, what: &str) -> String {
        let longest = 58 - what.len();
        let fits = (0..=longest.min(name.len())).rev().find(|it| name.is_char_boundary(*it));
        let stem = format!("{}__{what}", &name[..fits.unwrap_or_default()]);
        let is_free = |it: &String| {
            let taken = |facts: &Facts| facts.iter().any(|fact| fact.id.name() == it);
            !taken(self.a()) && !taken(self.b()) && self.online.names().all(|name| name != it)
        };
        let numbered = (2..).map(|it| format!("{stem}{it}"));
        let mut names = [stem.clone()].into_iter().chain(numbered);
        names.find(is_free).expect("there are more names than objects")
    }
}
