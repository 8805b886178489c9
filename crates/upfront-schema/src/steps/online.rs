//! What takes time, done while programs read and write.

use std::collections::{HashMap, HashSet};

use crate::draft::Fate;
use crate::facts::{Fact, Facts};
use crate::options::Forms;
use crate::quote;
use crate::sql::{Place, Sql};
use crate::steps::{Step, Steps, Verb};

/// What is done another way because programs go on meanwhile.
#[derive(Default)]
pub(super) struct Online {
    /// Indexes of the first schema that make way for one of their name: what they are called then.
    parted: HashMap<usize, String>,
    /// Keys of the second schema that take the place of one of their name: what their index is
    /// called before.
    built: HashMap<usize, String>,
    /// Drops that stand outside of any transaction.
    alone: HashSet<usize>,
    /// Unique indexes of the first schema that become keys of the second.
    promoted: HashSet<usize>,
    /// Columns of the second schema that a check of the first proves to be NOT NULL.
    proofs: HashSet<usize>,
}

impl Online {
    /// What an index of the first schema is called since it made way.
    pub(super) fn parted(&self, at: usize) -> Option<&str> {
        self.parted.get(&at).map(String::as_str)
    }

    /// What the index of a key of the second schema is called before it is one.
    pub(super) fn built(&self, at: usize) -> Option<&str> {
        self.built.get(&at).map(String::as_str)
    }

    /// Whether an index of the first schema becomes a key.
    pub(super) fn is_promoted(&self, at: usize) -> bool {
        self.promoted.contains(&at)
    }

    /// Whether a column of the second schema is known to be NOT NULL.
    pub(super) fn is_proven(&self, at: usize) -> bool {
        self.proofs.contains(&at)
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.parted.values().chain(self.built.values())
    }
}

impl Steps<'_> {
    /// Decides on what depends on the order of the steps.
    pub(super) fn go_online(&mut self) {
        if self.draft.options.forms == Forms::Plain {
            return;
        }
        let mut drops: Vec<_> = self.drops.iter().map(|(at, step)| (*at, *step)).collect();
        drops.sort_unstable();
        drops.retain(|(_, it)| self.graph.host(*it) == *it);
        for (at, step) in drops {
            let fact = &self.draft.a.all[at];
            match (fact.id.kind, fact.note("type")) {
                ("index", _) => self.drop_index(at, step),
                ("table constraint", Some("p" | "u")) => self.replace_key(at, step),
                _ => {}
            }
        }
        self.find_proofs();
    }

    fn drop_index(&mut self, at: usize, step: usize) {
        let fact = &self.draft.a.all[at];
        if fact.origin.is_some() || !self.is_plain_and_stays(self.draft.a, fact) {
            return;
        }
        if self.becomes_key(at) {
            self.online.promoted.insert(at);
            return;
        }
        let waiting = self.graph.waiting(step);
        let create = self.draft.twin(at).and_then(|it| self.creates.get(&it).copied());
        let is_comment = |it: &usize| {
            let step = self.all[*it];
            step.verb == Verb::Create && self.fact(step).id.kind == "comment"
        };
        match create {
            Some(create) if waiting.iter().all(|it| *it == create || is_comment(it)) => {
                for it in waiting {
                    self.graph.let_go(step, it);
                }
                self.graph.wait(create, step);
                let name = self.unused(fact.id.name(), "old");
                self.online.parted.insert(at, name);
                self.online.alone.insert(step);
            }
            None if waiting.is_empty() && self.draft.options.forms == Forms::Online => {
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
        let key = self.b().get("table constraint", &names).filter(|it| self.is_built_before(it));
        let is_bare = fact.attributes.keys().all(|it| it == "definition");
        is_bare
            && self.a().users[at].is_empty()
            && key.is_some_and(|it| it.note("index") == fact.text("definition"))
    }

    /// The index of the new key is built while the old one is there.
    fn replace_key(&mut self, at: usize, step: usize) {
        let twin = self.draft.twin(at).filter(|it| self.creates.contains_key(it));
        let Some(twin) = twin.filter(|it| self.is_built_before(&self.draft.b.all[*it])) else {
            return;
        };
        let name = self.unused(self.draft.b.all[twin].id.name(), "new");
        self.online.built.insert(twin, name);
        if self.draft.b.all[twin].note("type") == Some("u") {
            self.let_columns_change(step);
        }
    }

    /// A column may become NOT NULL or not while a key is on it that is not the primary one.
    fn let_columns_change(&mut self, drop: usize) {
        for it in self.graph.waiting(drop) {
            let Step { verb, at } = self.all[it];
            let old = self.a().find(&self.fact(self.all[it]).id);
            let is_alter = old.is_some_and(|old| matches!(self.draft.fates[old], Fate::Alter(_)));
            if verb == Verb::Alter && is_alter && self.b().all[at].id.kind == "column" {
                self.graph.let_go(drop, it);
            }
        }
    }

    /// Whether the first step only makes place for the second one, which has no need of it before
    /// its last piece.
    pub(super) fn is_own_drop(&self, first: usize, second: usize) -> bool {
        let at = self.all[second].at;
        let own = self.draft.b.all.get(at).and_then(|it| self.a().find(&it.id));
        self.all[second].verb == Verb::Create
            && self.online.built.contains_key(&at)
            && own.and_then(|it| self.drops.get(&it)) == Some(&first)
    }

    /// A check that already says that a column is not NULL saves the reading of all rows, so it
    /// goes after that.
    fn find_proofs(&mut self) {
        for (&at, fate) in &self.alters[1].clone() {
            let fact = &self.draft.b.all[at];
            if fact.id.kind != "column" || !self.is_there(self.draft.b, fact) {
                continue;
            }
            let Some(proof) = self.proof(fact) else { continue };
            self.online.proofs.insert(at);
            let drop = self.drops.get(&proof).copied();
            if let Some(drop) = drop.filter(|it| self.graph.host(*it) == *it) {
                self.graph.let_go(drop, *fate);
                self.graph.wait(*fate, drop);
            }
        }
    }

    fn proof(&self, column: &Fact) -> Option<usize> {
        let old = self.a().find(&column.id)?;
        let becomes = column.is("not_null") && !self.a().all[old].is("not_null");
        if !becomes || !matches!(self.draft.fates[old], Fate::Alter(_)) {
            return None;
        }
        let text = format!("CHECK (({} IS NOT NULL))", quote::name(column.id.name()));
        let is_it = |at: &usize| {
            let it = &self.a().all[*at];
            let is_own =
                it.id.kind == "table constraint" && it.id.names[..2] == column.id.names[..2];
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
        let table = self.draft.a.parent(fact).map(|it| it.id.path())?;
        let mut id = fact.id.clone();
        if let Some(name) = self.online.parted.get(&at) {
            id.names.pop();
            id.names.push(name.clone());
        }
        let sql = Sql::whole(format!("DROP INDEX CONCURRENTLY {}", id.path()));
        Some(vec![sql.at(Place::Outside(table))])
    }

    pub(super) fn is_built_before(&self, fact: &Fact) -> bool {
        let is_tree = fact.note("index").is_some_and(|it| it.contains(" USING btree "));
        self.is_online() && is_tree && self.is_plain_and_stays(self.b(), fact)
    }

    pub(super) fn is_online(&self) -> bool {
        self.draft.options.forms != Forms::Plain
    }

    /// Whether the table of something was there before, and stays.
    pub(super) fn is_there(&self, facts: &Facts, of: &Fact) -> bool {
        let table =
            facts.parent(of).filter(|it| matches!(it.id.kind, "table" | "materialized view"));
        let old = table.and_then(|it| self.a().find(&it.id));
        old.is_some_and(|it| !self.draft.fates[it].is_dropped())
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
