//! The default owner: the role that replays migrations, whatever its name.

use serde_json::{Map, Value};

use crate::{
    catalog::{
        facts::{Fact, Facts},
        scope::{Owners, Scope},
    },
    kinds::object_kind::ObjectKind,
};

const OWNER: &str = "@owner";

impl Facts {
    /// Reads the roles that count as the default owner as such, in privileges too; which facts say
    /// nothing any more.
    pub(crate) fn read_owners(&mut self, scope: &Scope) -> Vec<bool> {
        let roles = &scope.default_owners;
        for it in &mut self.all {
            let is_default = it.text("owner").is_some_and(|it| roles.iter().any(|role| role == it));
            if is_default {
                it.attributes.remove("owner");
            }
        }
        let by_default: Vec<_> =
            (0..self.all.len()).map(|at| self.owner_of(at).is_none()).collect();
        let one = |(it, by_default): (&mut Fact, &bool)| has_nothing_left(it, *by_default, roles);
        let empty: Vec<bool> = self.all.iter_mut().zip(&by_default).map(one).collect();
        if scope.owners == Owners::LeftOut {
            // Nor does a dump without rows say which materialized views have some.
            for it in &mut self.all {
                it.attributes.remove("owner");
                it.attributes.remove("unpopulated");
            }
            let own_rights = self.all.iter_mut().map(|it| was_right_to_migrate(it, roles));
            return own_rights.zip(empty).map(|(a, b): (bool, bool)| a || b).collect();
        }
        empty
    }

    /// Who owns what a fact is on.
    fn owner_of(&self, at: usize) -> Option<&str> {
        let mut next = Some(at);
        while let Some(it) = next.map(|at| &self.all[at]) {
            if let Some(owner) = it.text("owner") {
                return Some(owner);
            }
            next = it.parent;
        }
        None
    }
}

/// Takes what the migrating role may do in the schema `public`, which is nobody's own; whether nothing
/// else was granted there.
fn was_right_to_migrate(it: &mut Fact, roles: &[String]) -> bool {
    if it.id.kind != ObjectKind::Privileges || it.id.names != [ObjectKind::Schema.name(), "public"]
    {
        return false;
    }
    let Some(grants) = it.attributes.get_mut("grants").and_then(Value::as_object_mut) else {
        return false;
    };
    grants.retain(|role, _| !roles.contains(role));
    it.attributes.get("grants") == it.notes.get("usual")
}

fn has_nothing_left(it: &mut Fact, by_default: bool, roles: &[String]) -> bool {
    match it.id.kind {
        ObjectKind::Privileges if by_default => {}
        ObjectKind::DefaultPrivileges => {
            if roles.contains(&it.id.names[0]) {
                OWNER.clone_into(&mut it.id.names[0]);
            }
            if it.id.names[0] != OWNER {
                return false;
            }
        }
        _ => return false,
    }
    let merged = it.attributes.get_mut("grants").and_then(Value::as_object_mut);
    let changed = merged.is_some_and(|it| merge(it, roles));
    changed && it.attributes.get("grants") == it.notes.get("usual")
}

/// Adds what these roles have to what the owner has; whether they had anything.
fn merge(grants: &mut Map<String, Value>, roles: &[String]) -> bool {
    let found: Vec<_> = roles.iter().filter_map(|it| grants.remove(it)).collect();
    let more: Vec<Value> = found.iter().filter_map(Value::as_array).flatten().cloned().collect();
    if more.is_empty() {
        return false;
    }
    let own = grants.entry(OWNER).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(own) = own.as_array_mut() {
        own.extend(more.into_iter().filter(|it| !own.contains(it)).collect::<Vec<_>>());
        own.sort_by_key(ToString::to_string);
    }
    // An owner may pass on what he has, whether that is said or not.
    let all = own.as_array().cloned().unwrap_or_default();
    let is_implied = |it: &Value| {
        it.as_str().and_then(|it| it.strip_suffix('*')).is_some_and(|it| all.contains(&it.into()))
    };
    if let Some(own) = own.as_array_mut() {
        own.retain(|it| !is_implied(it));
    }
    true
}
