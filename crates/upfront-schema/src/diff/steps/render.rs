//! The statements of a step.

use crate::{
    catalog::facts::Fact,
    diff::{
        actions::Action,
        steps::{Steps, Verb, attachment},
    },
    kinds::{
        column, definition::Created, enum_type, object_kind::ObjectKind, privileges, registry,
        sequence, sequence_replacement::SequenceReplacement,
    },
    quote,
    sql::Sql,
};

impl<'a> Steps<'a> {
    pub(super) fn sql(&self, at: usize) -> Vec<Sql> {
        let step = self.all[at];
        if self.graph.host(at) != at {
            return Vec::new();
        }
        let fact = self.fact(step);
        match step.verb {
            Verb::Drop => self.drop_sql(step.at, fact),
            Verb::Create => self.create_sql(step.at, fact),
            Verb::Alter => {
                let old = self.a().find(&fact.id).map(|it| self.actions.all[it].statements());
                let mut sql = old.flatten().unwrap_or_default().to_vec();
                sql.extend(self.index_attachment(step.at));
                self.not_null(step.at, fact, sql)
            }
        }
    }

    fn drop_sql(&self, at: usize, fact: &Fact) -> Vec<Sql> {
        if matches!(self.actions.all[at], Action::Swap) {
            let mut names = fact.id.names.clone();
            names.pop();
            names.push(enum_type::temporary_name(&fact.id));
            let noun = fact.id.kind.noun();
            return vec![Sql::whole(format!("DROP {noun} {}", quote::qualified(&names)))];
        }
        if self.goes_along(fact) {
            return Vec::new();
        }
        if let Some(sql) = self.index_drop(at, fact) {
            return sql;
        }
        let mut sql = (registry::of(fact).drop)(self.a(), fact);
        if let Some(new) = self.successor(fact) {
            if new.is_to_identity() {
                return Vec::new();
            }
            // Its position has gone over.
            for it in &mut sql {
                it.hazards.clear();
            }
        }
        if self.leaves_heirs(at) {
            sql.iter_mut().for_each(Sql::only);
        }
        sql
    }

    /// The replacement that continues from the position of a sequence of the first schema.
    fn successor(&self, fact: &Fact) -> Option<SequenceReplacement<'a>> {
        let is_sequence = fact.id.kind == ObjectKind::Sequence;
        is_sequence.then(|| SequenceReplacement::of_old(self.a(), self.b(), fact)).flatten()
    }

    /// Whether a column goes and those that inherit it stay, as columns of their own.
    fn leaves_heirs(&self, at: usize) -> bool {
        let heirs = self.a().all.iter().enumerate();
        self.a().all[at].id.kind == ObjectKind::Column
            && heirs
                .into_iter()
                .any(|(heir, it)| it.origin == Some(at) && !self.drops.contains_key(&heir))
    }

    fn create_sql(&self, at: usize, fact: &Fact) -> Vec<Sql> {
        if self.comes_along(fact) {
            return Vec::new();
        }
        let made = match self.fill(fact) {
            Some(_) => self.create_nullable(at, fact),
            None => (registry::of(fact).create)(&self.created(at)),
        };
        let made = self.create_online(at, fact, made);
        let old =
            self.a().find(&fact.id).filter(|it| matches!(self.actions.all[*it], Action::Swap));
        let mut sql = Vec::new();
        if old.is_some() {
            let (noun, name) =
                (fact.id.kind.noun(), quote::name(&enum_type::temporary_name(&fact.id)));
            sql.push(Sql::whole(format!("ALTER {noun} {} RENAME TO {name}", fact.id.path())));
        }
        sql.extend(made);
        sql.extend(privileges::by_default(self.a(), self.b(), fact));
        sql
    }

    /// A column that is NOT NULL once its rows have values.
    fn create_nullable(&self, at: usize, fact: &Fact) -> Vec<Sql> {
        let mut nullable = fact.clone();
        nullable.attributes.remove("not_null");
        let mut sql = (registry::of(fact).create)(&Created { fact: &nullable, ..self.created(at) });
        sql.push(column::set_not_null(fact));
        self.not_null(at, fact, sql)
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
        if fact.id.kind == ObjectKind::Index
            && self.creates.contains_key(&origin)
            && self.is_by_parts(origin)
        {
            return false;
        }
        let is_attached = attachment(self.b(), fact)
            .is_some_and(|it| self.a().find(&self.b().all[it].id).is_some());
        let is_same = fact.attributes == self.b().all[origin].attributes;
        let is_born = attachment(self.b(), fact)
            .and_then(|it| self.creates.get(&it))
            .is_some_and(|it| self.graph.host(*it) != *it);
        match (fact.id.kind, is_attached) {
            (ObjectKind::DefaultValue, true) => is_same && self.creates.contains_key(&origin),
            (ObjectKind::DefaultValue, false) => is_same && is_born,
            (_, true) => self.creates.contains_key(&origin),
            (ObjectKind::Column, false) => false,
            (_, false) => fact.note("type") != Some("c") || is_born,
        }
    }

    /// Whether `serial` in a new column makes it.
    fn is_serial_part(&self, fact: &Fact) -> bool {
        let facts = self.b();
        let column = match fact.id.kind {
            ObjectKind::DefaultValue => facts.parent(fact),
            ObjectKind::SequenceOwner => sequence::column_of(facts, fact),
            _ => None,
        };
        column.is_some_and(|it| self.a().find(&it.id).is_none() && sequence::is_serial(facts, it))
    }

    fn goes_along(&self, fact: &Fact) -> bool {
        let Some(origin) = fact.origin else { return false };
        let stays = attachment(self.a(), fact).is_some_and(|it| !self.leaves(fact, it));
        stays && self.drops.contains_key(&origin) && !self.leaves_heirs(origin)
    }
}
