//! What takes time, done while programs read and write.

use std::collections::{HashMap, HashSet};

use crate::draft::Fate;
use crate::facts::{Fact, Facts};
use crate::identity::Identity;
use crate::options::Forms;
use crate::quote;
use crate::rule;
use crate::sql::{Place, Sql};
use crate::steps::{Step, Steps, Verb, attachment, wait};

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
    /// Checks of the first schema that prove a column of the second to be NOT NULL.
    proofs: HashMap<usize, usize>,
}

impl<'a> Steps<'a> {
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
        match create {
            Some(create) if waiting == [create] => {
                self.graph.let_go(step, create);
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
            self.online.proofs.insert(at, proof);
            let drop = self.drops.get(&proof).copied();
            if let Some(drop) = drop.filter(|it| self.graph.host(*it) == *it) {
                self.graph.let_go(drop, *fate);
                self.graph.wait(*fate, drop);
            }
        }
    }

    fn proof(&self, column: &Fact) -> Option<usize> {
        let text = format!("CHECK (({} IS NOT NULL))", quote::name(column.id.name()));
        let table = &column.id.names[..2];
        let is_it = |it: &Fact| {
            it.id.kind == "table constraint"
                && it.id.names[..2] == *table
                && it.text("definition") == Some(&text)
                && !it.is("not_valid")
        };
        let old = self.a().find(&column.id)?;
        let stays = matches!(self.draft.fates[old], Fate::Alter(_));
        self.a().all.iter().position(is_it).filter(|_| stays)
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

    /// The statements that make an object, where there is a way to make it without a long lock.
    pub(super) fn create_online(&self, at: usize, fact: &Fact, sql: Vec<Sql>) -> Vec<Sql> {
        if sql.is_empty() {
            return sql;
        }
        match (fact.id.kind, fact.note("type")) {
            ("index", _) => self.create_index(at, fact, sql),
            ("table constraint", Some("p" | "u")) if self.is_built_before(fact) => {
                self.build_key(at, fact, sql)
            }
            ("table constraint", Some("c" | "f")) if self.is_validated_later(fact) => {
                validated_later(fact, sql)
            }
            _ => sql,
        }
    }

    fn create_index(&self, at: usize, fact: &Fact, mut sql: Vec<Sql>) -> Vec<Sql> {
        let table = self.b().parent(fact).map(|it| it.id.path()).unwrap_or_default();
        let on = format!("INDEX {} ON ", quote::name(fact.id.name()));
        if self.is_by_parts(at) {
            sql[0].text = sql[0].text.replacen(&on, &format!("{on}ONLY "), 1);
        } else if self.is_online() && self.is_plain_and_stays(self.b(), fact) {
            sql[0].text = concurrently(&sql[0].text);
            sql[0].place = Place::Outside(table);
            sql.iter_mut().skip(1).for_each(|it| it.is_sequel = true);
            let old = self.a().find(&fact.id).and_then(|it| self.online.parted.get(&it));
            if let Some(name) = old {
                let text =
                    format!("ALTER INDEX {} RENAME TO {}", fact.id.path(), quote::name(name));
                let comment = format!("Rename \"{}\" index, which goes later", fact.id.name());
                sql.insert(0, Sql::whole(text).says(comment));
            }
        }
        sql.extend(self.index_attachment(at));
        sql
    }

    /// What makes an index of a partition part of that of the table above.
    pub(super) fn index_attachment(&self, at: usize) -> Option<Sql> {
        let fact = &self.b().all[at];
        let origin = fact.origin.filter(|_| self.is_attached_by_hand(at))?;
        let (above, path) = (&self.b().all[origin].id, fact.id.path());
        let comment = format!("Attach \"{}\" index to \"{}\"", fact.id.name(), above.name());
        let text = format!("ALTER INDEX {} ATTACH PARTITION {path}", above.path());
        Some(Sql::whole(text).says(comment))
    }

    /// Whether the index above was made without those of the partitions.
    pub(super) fn is_attached_by_hand(&self, at: usize) -> bool {
        let fact = &self.b().all[at];
        let Some(origin) = fact.origin.filter(|_| fact.id.kind == "index") else { return false };
        if self.creates.contains_key(&origin) {
            return self.is_by_parts(origin);
        }
        let old = self.a().find(&fact.id).filter(|it| !self.draft.fates[*it].is_dropped());
        let is_attached = old.is_some_and(|it| self.a().all[it].origin.is_some());
        let is_partition = attachment(self.b(), fact)
            .is_some_and(|it| self.a().find(&self.b().all[it].id).is_some());
        !is_attached && is_partition
    }

    /// Whether an index of a partitioned table is made without those of the partitions.
    pub(super) fn is_by_parts(&self, at: usize) -> bool {
        let fact = &self.b().all[at];
        let table = self.b().parent(fact);
        let Some(table) = table.filter(|it| it.attributes.contains_key("partition_key")) else {
            return false;
        };
        match fact.origin {
            _ if fact.is("invalid") => true,
            Some(it) if self.creates.contains_key(&it) => self.is_by_parts(it),
            Some(_) => true,
            None => self.is_online() && self.is_there(self.b(), fact) && !self.grows(table),
        }
    }

    /// Whether partitions come or go, at whatever height.
    fn grows(&self, table: &Fact) -> bool {
        let changes = self.steps_on(|it| it.id.kind == "inheritance");
        let names = changes.iter().map(|it| &self.fact(self.all[*it]).id.names[2..]);
        let mut names: Vec<_> = names.collect();
        names.dedup();
        names.into_iter().any(|it| {
            let facts = [self.a(), self.b()].into_iter();
            facts.into_iter().any(|facts| wait::ancestors(facts, it).contains(&table.id.names[..]))
        })
    }

    fn is_built_before(&self, fact: &Fact) -> bool {
        let is_tree = fact.note("index").is_some_and(|it| it.contains(" USING btree "));
        self.is_online() && is_tree && self.is_plain_and_stays(self.b(), fact)
    }

    /// A unique index, and then the constraint by it.
    fn build_key(&self, at: usize, fact: &Fact, mut sql: Vec<Sql>) -> Vec<Sql> {
        let own = quote::name(fact.id.name());
        let name = self.online.built.get(&at).map_or_else(|| own.clone(), |it| quote::name(it));
        let text = fact.note("index").unwrap_or_default();
        let text = text.replacen(&format!("INDEX {own} ON "), &format!("INDEX {name} ON "), 1);
        let tablespace =
            fact.text("tablespace").map(|it| format!(" TABLESPACE {}", quote::name(it)));
        let text = concurrently(&text) + &tablespace.unwrap_or_default();
        let what = if fact.note("type") == Some("p") { "PRIMARY KEY" } else { "UNIQUE" };
        let deferrable = fact.text("deferrable").map(|it| format!(" {it}")).unwrap_or_default();
        let build = Sql {
            hazards: std::mem::take(&mut sql[0].hazards),
            ..Sql::whole(text)
                .at(Place::Outside(fact.id.owner_path()))
                .says(format!("Create the index of \"{}\" table constraint", fact.id.name()))
        };
        sql[0].text = format!("ADD CONSTRAINT {own} {what} USING INDEX {name}{deferrable}");
        sql.iter_mut().skip(1).for_each(|it| it.is_sequel = true);
        let index = [fact.id.names[0].clone(), fact.id.name().to_owned()];
        let old = self.a().find(&Identity::new("index", &index));
        if !old.is_some_and(|it| self.online.promoted.contains(&it)) {
            sql.insert(0, build);
        }
        sql
    }

    /// Foreign keys of partitioned tables cannot be.
    fn is_validated_later(&self, fact: &Fact) -> bool {
        let text = fact.text("definition").unwrap_or_default();
        let can_be = !fact.is("not_valid") && !text.ends_with("NOT ENFORCED");
        let is_there = match fact.note("type") {
            Some("f") => self.is_plain_and_stays(self.b(), fact),
            _ => self.is_there(self.b(), fact),
        };
        self.is_online() && can_be && is_there
    }

    /// The statements for a column that becomes NOT NULL, or that rows get values for.
    pub(super) fn not_null(&self, at: usize, fact: &Fact, mut sql: Vec<Sql>) -> Vec<Sql> {
        let set = rule::set_not_null(fact);
        let Some(place) = sql.iter().position(|it| it.head == set.head && it.text == set.text)
        else {
            return sql;
        };
        let fill = self.fill(fact).map(|it| fill(fact, it));
        let is_checked = self.is_online() && self.is_there(self.b(), fact);
        if fill.is_none() && !is_checked {
            return sql;
        }
        let mut rest = sql.split_off(place);
        if self.online.proofs.contains_key(&at) {
            // The server takes constraints away before it looks for a proof, so alone.
            rest[0] = Sql::whole(rest[0].statement())
                .says(format!("Modify \"{}\" table", fact.id.names[1]));
        } else if is_checked {
            let name = self.unused(fact.id.name(), "not_null");
            let hazards = std::mem::take(&mut rest[0].hazards);
            let [add, validate, drop] = check(fact, &name);
            rest.splice(0..0, [Sql { hazards, ..validate }]);
            rest.insert(2, drop);
            sql.push(add);
        }
        rest.splice(0..0, fill);
        sql.extend(rest.into_iter().map(Sql::sequel));
        sql
    }

    /// The values of several columns of one table, in one statement.
    pub(super) fn fill_all(&self, columns: &[&'a Fact]) -> Sql {
        let table = columns[0].id.owner_path();
        let (mut sets, mut wheres, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for column in columns {
            let name = quote::name(column.id.name());
            let value = self.fill(column).unwrap_or("NULL");
            sets.push(format!(
                "\n  {name} = CASE WHEN {name} IS NULL THEN {value} ELSE {name} END"
            ));
            wheres.push(format!("{name} IS NULL"));
            names.push(format!("\"{}\"", column.id.name()));
        }
        let (sets, wheres) = (sets.join(","), wheres.join(" OR "));
        let comment = format!("Fill {} of {table}", names.join(", "));
        Sql::whole(format!("UPDATE {table} SET{sets}\nWHERE {wheres}"))
            .at(Place::Fills)
            .says(comment)
    }

    /// What rows get. A default is called as its column is.
    pub(super) fn fill(&self, fact: &Fact) -> Option<&'a str> {
        let path = (fact.id.kind == "column").then(|| fact.id.path())?;
        self.draft.options.fills.get(&path).map(String::as_str)
    }

    fn is_online(&self) -> bool {
        self.draft.options.forms != Forms::Plain
    }

    /// Whether the table of something was there before, and stays.
    fn is_there(&self, facts: &Facts, of: &Fact) -> bool {
        let table =
            facts.parent(of).filter(|it| matches!(it.id.kind, "table" | "materialized view"));
        let old = table.and_then(|it| self.a().find(&it.id));
        old.is_some_and(|it| !self.draft.fates[it].is_dropped())
    }

    /// The same of a table that holds rows itself.
    fn is_plain_and_stays(&self, facts: &Facts, of: &Fact) -> bool {
        let table = facts.parent(of);
        self.is_there(facts, of)
            && table.is_some_and(|it| !it.attributes.contains_key("partition_key"))
    }

    /// A name that neither schema has, and that the server does not cut.
    fn unused(&self, name: &str, what: &str) -> String {
        let fits = (0..=40.min(name.len())).rev().find(|it| name.is_char_boundary(*it));
        let stem = format!("{}__{what}", &name[..fits.unwrap_or_default()]);
        let is_free = |it: &String| {
            let taken = |facts: &Facts| facts.iter().any(|fact| fact.id.name() == it);
            !taken(self.a()) && !taken(self.b())
        };
        let numbered = (2..).map(|it| format!("{stem}{it}"));
        let mut names = [stem.clone()].into_iter().chain(numbered);
        names.find(is_free).expect("there are more names than objects")
    }
}

fn concurrently(text: &str) -> String {
    text.replacen("INDEX ", "INDEX CONCURRENTLY ", 1)
}

fn validated_later(fact: &Fact, mut sql: Vec<Sql>) -> Vec<Sql> {
    sql[0].text.push_str(" NOT VALID");
    let hazards = std::mem::take(&mut sql[0].hazards);
    sql.push(Sql { hazards, ..validate(fact, fact.id.name()) }.sequel());
    sql
}

fn validate(on: &Fact, name: &str) -> Sql {
    let text =
        format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", on.id.owner_path(), quote::name(name));
    Sql::whole(text).at(Place::Validates).says(format!("Validate \"{name}\" table constraint"))
}

/// What lets the server know that no row has NULL there, without a look at the rows under a lock.
fn check(column: &Fact, check: &str) -> [Sql; 3] {
    let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
    let own = quote::name(check);
    let add = format!("ADD CONSTRAINT {own} CHECK ({name} IS NOT NULL) NOT VALID");
    let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {own}");
    [
        Sql::clause(format!("ALTER TABLE {table}"), add),
        validate(column, check),
        Sql::whole(drop).says(format!("Drop \"{check}\" table constraint")),
    ]
}

fn fill(column: &Fact, expression: &str) -> Sql {
    let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
    let text = format!("UPDATE {table} SET {name} = {expression} WHERE {name} IS NULL");
    let comment = format!("Fill \"{}\" of {table}", column.id.name());
    Sql::whole(text).at(Place::Fills).says(comment)
}
