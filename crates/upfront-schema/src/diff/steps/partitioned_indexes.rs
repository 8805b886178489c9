//! Indexes of partitioned tables that are made part by part.

use crate::{
    catalog::facts::Fact,
    diff::steps::{Steps, attachment, dependencies},
    kinds::object_kind::ObjectKind,
    sql::Sql,
};

impl Steps<'_> {
    /// What makes an index of a partition part of that of the table above.
    pub(super) fn index_attachment(&self, at: usize) -> Option<Sql> {
        let fact = &self.b().all[at];
        let origin = fact.origin.filter(|_| self.is_attached_by_hand(at))?;
        let (above, path) = (&self.b().all[origin].id, fact.id.path());
        let comment = format!("Attach \"{}\" index to \"{}\"", fact.id.name(), above.name());
        let text = format!("ALTER INDEX {} ATTACH PARTITION {path}", above.path());
        Some(Sql::whole(text).with_comment(comment))
    }

    /// Whether the index above was made without those of the partitions.
    pub(super) fn is_attached_by_hand(&self, at: usize) -> bool {
        let fact = &self.b().all[at];
        let Some(origin) = fact.origin.filter(|_| fact.id.kind == ObjectKind::Index) else {
            return false;
        };
        if self.creates.contains_key(&origin) {
            return self.is_by_parts(origin);
        }
        let old = self.a().find(&fact.id).filter(|it| !self.actions.all[*it].is_dropped());
        let is_attached = old.is_some_and(|it| self.a().all[it].origin.is_some());
        !is_attached && self.was_attached(fact)
    }

    /// Whether the table of an inherited index was a partition before.
    fn was_attached(&self, fact: &Fact) -> bool {
        attachment(self.b(), fact).is_some_and(|it| self.a().find(&self.b().all[it].id).is_some())
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
            // That of a new partition comes with it, and so do those below.
            Some(_) => self.was_attached(fact),
            None if self.has_named_part(at) => true,
            None => self.is_online() && self.is_there(self.b(), fact) && !self.grows(table),
        }
    }

    /// Whether one that a partition gets has a name that the server would not give it.
    fn has_named_part(&self, at: usize) -> bool {
        let all = self.b().all.iter().enumerate();
        let mut parts = all.filter(|(heir, it)| {
            it.origin == Some(at)
                && it.id.kind == ObjectKind::Index
                && self.creates.contains_key(heir)
        });
        parts.any(|(heir, it)| !self.is_named_by_server(it) || self.has_named_part(heir))
    }

    /// Whether it is called by its table, and as an index is; the server cuts long names.
    fn is_named_by_server(&self, index: &Fact) -> bool {
        let table = self.b().parent(index).map_or("", |it| it.id.name());
        let start: String = table.chars().take(20).collect();
        let name = index.id.name();
        let end = name.trim_end_matches(|it: char| it.is_ascii_digit());
        name.starts_with(&start) && end.ends_with("_idx")
    }

    /// Whether partitions come or go, at whatever height.
    fn grows(&self, table: &Fact) -> bool {
        let changes = self.steps_on(|it| it.id.kind == ObjectKind::Inheritance);
        let names = changes.iter().map(|it| &self.fact(self.all[*it]).id.names[2..]);
        let mut names: Vec<_> = names.collect();
        names.dedup();
        names.into_iter().any(|it| {
            let facts = [self.a(), self.b()].into_iter();
            facts
                .into_iter()
                .any(|facts| dependencies::ancestors(facts, it).contains(&table.id.names[..]))
        })
    }
}
