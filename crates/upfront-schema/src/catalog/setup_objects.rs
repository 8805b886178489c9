//! Which objects of a database belong to the setup of scratch databases.

use crate::{
    catalog::{
        facts::{Dependency, Facts},
        setup::Setup,
    },
    kinds::{object_kind::ObjectKind, privileges::subtract_grants},
};

impl Facts {
    /// Which of them belong to the setup.
    pub(crate) fn of_setup(&self, setup: &Setup) -> Vec<bool> {
        let mut own = vec![false; self.all.len()];
        if setup.is_empty() {
            return own;
        }
        let named = (0..self.all.len()).filter(|at| setup.owns(&self.all[*at].id)).collect();
        self.mark_with_users(named, &mut own);
        let triggers = (0..self.all.len()).filter(|at| self.is_trigger_of(*at, &own)).collect();
        self.mark_with_users(triggers, &mut own);
        own
    }

    /// Marks objects, with what goes along with them.
    fn mark_with_users(&self, mut open: Vec<usize>, own: &mut [bool]) {
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut own[at], true) {
                continue;
            }
            let users = self.users[at].iter();
            let along = users.filter(|(user, how)| self.goes_along(at, *user, *how));
            open.extend(along.map(|(user, _)| *user));
        }
    }

    /// Whether what uses an object of the setup is the setup's too.
    fn goes_along(&self, base: usize, user: usize, how: Dependency) -> bool {
        match (self.all[user].id.kind, self.all[base].id.kind) {
            (ObjectKind::Cast | ObjectKind::Transform, _) => true,
            (ObjectKind::Trigger | ObjectKind::Policy, _)
            | (
                ObjectKind::PublicationRelation | ObjectKind::PublicationNamespace,
                ObjectKind::Publication,
            ) => false,
            _ => matches!(how, Dependency::DroppedWith | Dependency::OnlyDroppedWith),
        }
    }

    /// Whether it is a trigger that runs a function of the setup on a table of the setup, or on
    /// events.
    fn is_trigger_of(&self, at: usize, own: &[bool]) -> bool {
        let runs = || {
            let bases = self.uses[at].iter().map(|(base, _)| *base);
            bases.into_iter().any(|it| self.all[it].id.kind == ObjectKind::Function && own[it])
        };
        match self.all[at].id.kind {
            ObjectKind::Trigger => self.all[at].parent.is_some_and(|it| own[it]) && runs(),
            ObjectKind::EventTrigger => runs(),
            _ => false,
        }
    }

    /// Takes what the setup grants away from grants on what every database has; which facts say
    /// nothing any more.
    pub(crate) fn without_grants_of(&mut self, setup: &Setup, owners: &[String]) -> Vec<bool> {
        let mut nothing = vec![false; self.all.len()];
        for (fact, nothing) in self.all.iter_mut().zip(&mut nothing) {
            if let Some(made) = setup.shared_grants(&fact.id, owners) {
                *nothing = subtract_grants(fact, &made);
            }
        }
        nothing
    }
}
