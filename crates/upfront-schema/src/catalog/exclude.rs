//! Objects that are left alone, by their names.

use std::collections::HashMap;

use crate::{
    catalog::{
        facts::{Dependency, Fact, Facts},
        pattern::Pattern,
    },
    kinds::object_kind::ObjectKind,
};

impl Facts {
    /// These facts without those that are left alone.
    pub(crate) fn without(self, left_alone: &[bool]) -> Self {
        let stays: Vec<_> = left_alone.iter().map(|it| !it).collect();
        let kept = (0..self.all.len()).filter(|at| stays[*at]);
        let places: HashMap<_, _> = kept.zip(0..).collect();
        let moved = |at: Option<usize>| at.and_then(|it| places.get(&it).copied());
        let fact = |(_, it): (usize, &Fact)| Fact {
            parent: moved(it.parent),
            origin: moved(it.origin),
            ..it.clone()
        };
        let all = self.all.iter().enumerate().filter(|(at, _)| stays[*at]).map(fact).collect();
        let mut facts = Facts::new(all, self.casts);
        for (user, uses) in self.uses.iter().enumerate() {
            for (base, how) in uses {
                if let (Some(user), Some(base)) = (moved(Some(user)), moved(Some(*base))) {
                    facts.connect(user, base, *how);
                }
            }
        }
        facts
    }

    /// Takes the flags of row-level security from tables where that is left alone.
    pub(crate) fn leave_row_security_alone(&mut self, patterns: &[Pattern]) {
        let is_named = |it: &Fact| {
            patterns
                .iter()
                .any(|pattern| pattern.names(ObjectKind::RowSecurity, &it.id.names.join(".")))
        };
        for it in self.all.iter_mut().filter(|it| it.id.kind == ObjectKind::Table && is_named(it)) {
            it.attributes.remove("row_security");
            it.attributes.remove("force_row_security");
        }
    }

    /// Which of them the patterns name, with all that they contain or that is dropped with them.
    pub(crate) fn left_alone(&self, patterns: &[Pattern]) -> Vec<bool> {
        let mut left = vec![false; self.all.len()];
        let is_named = |id| patterns.iter().any(|it| it.fits(id) || it.holds(id));
        let mut open: Vec<_> =
            (0..self.all.len()).filter(|at| is_named(&self.all[*at].id)).collect();
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut left[at], true) {
                continue;
            }
            let goes_along = |(user, how): &(usize, Dependency)| {
                matches!(how, Dependency::DroppedWith | Dependency::OnlyDroppedWith)
                    || matches!(self.all[*user].id.kind, ObjectKind::Cast | ObjectKind::Transform)
            };
            let users = self.users[at].iter().copied();
            open.extend(users.filter(goes_along).map(|(user, _)| user));
        }
        left
    }
}
