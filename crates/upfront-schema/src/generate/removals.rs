//! What a change takes away, for the author to agree to.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    catalog::{
        facts::{Dependency, Fact, Facts},
        identity::Identity,
    },
    diff::difference::Difference,
    generate::{change::Change, kept::KeptObjects},
    kinds::object_kind::ObjectKind,
    quote,
};

/// Which removals need consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentPolicy {
    /// Each object that the desired schema lacks: its source may not be able to express it.
    Everything,
    /// What protects rows: row-level security, policies, triggers, checks, the owner's privileges.
    Protection,
}

/// Something that the desired schema lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// What it is.
    pub id: Identity,
    /// What is lost with it, in the words of the plan's warning.
    pub loses: Option<String>,
    what: RemovalKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RemovalKind {
    Object,
    /// Of an object that stays.
    Attribute(&'static str),
    /// Of a table that stays.
    RowSecurity,
}

impl Removal {
    /// Kind and name, as `exclude` takes them.
    #[must_use]
    pub fn pattern(&self) -> String {
        format!("{} {}", self.id.kind, self.path())
    }

    /// The name, as [`Pattern::names`](crate::Pattern::names) takes it.
    #[must_use]
    pub fn path(&self) -> String {
        match self.id.names.is_empty() {
            true => self.id.arguments.join(" AS "),
            false => self.id.names.join("."),
        }
    }

    /// What would happen, as `dropping index public.a`.
    #[must_use]
    pub fn action(&self) -> String {
        let path = self.id.path();
        match self.what {
            RemovalKind::Object => format!("dropping {}", self.id),
            RemovalKind::RowSecurity => {
                format!("turning off row-level security of {path}")
            }
            RemovalKind::Attribute("grants") => {
                let kind = self.id.names.first().map_or("", String::as_str);
                let path = quote::qualified(self.id.names.get(1..).unwrap_or_default());
                format!("revoking privileges on {kind} {path} from its owner")
            }
            RemovalKind::Attribute(_) => format!("disabling {}", self.id),
        }
    }

    /// Whether the object itself goes, and not only what it does.
    #[must_use]
    pub fn is_of_object(&self) -> bool {
        self.what == RemovalKind::Object
    }

    fn object(fact: &Fact) -> Self {
        let path = fact.id.path();
        let loses = match fact.id.kind {
            ObjectKind::Table => Some(format!("all rows of {path}")),
            ObjectKind::Column if !fact.attributes.contains_key("generated") => {
                Some(format!("all values of {path}"))
            }
            ObjectKind::Sequence => Some(format!("the position of {path}")),
            _ => None,
        };
        Self { id: fact.id.clone(), loses, what: RemovalKind::Object }
    }

    fn attribute(id: &Identity, attribute: &'static str) -> Self {
        Self { id: id.clone(), loses: None, what: RemovalKind::Attribute(attribute) }
    }
}

impl Change<'_> {
    /// What the desired schema lacks, as far as it needs consent. What goes with another object is
    /// not listed beside it.
    #[must_use]
    pub fn removals(&self, policy: ConsentPolicy) -> Vec<Removal> {
        let mut all: Vec<Removal> = Vec::new();
        let both = SchemaPair { have: self.have(), wanted: self.wanted() };
        for it in self.differences() {
            let found = match &it {
                Difference::Dropped(id) => both.dropped(id, policy),
                Difference::Changed { id, attribute, to, .. } => {
                    weakened(id, attribute, to.as_ref())
                }
                Difference::Created(_) => None,
            };
            let found = found.or_else(|| both.revoked(it.id()));
            all.extend(found.filter(|it| !all.contains(it)));
        }
        all
    }

    /// Everything that has to stay for these to stay.
    #[must_use]
    pub fn keeping(&self, removals: &[&Removal]) -> KeptObjects {
        let mut kept = KeptObjects::default();
        let mut open = Vec::new();
        for it in removals {
            match it.what {
                RemovalKind::Object => open.extend(self.have().find(&it.id)),
                RemovalKind::RowSecurity => {
                    let table = Identity { kind: ObjectKind::Table, ..it.id.clone() };
                    kept.attributes.push((table.clone(), "row_security"));
                    kept.attributes.push((table, "force_row_security"));
                }
                RemovalKind::Attribute(name) => kept.attributes.push((it.id.clone(), name)),
            }
        }
        let both = SchemaPair { have: self.have(), wanted: self.wanted() };
        let mut seen = HashSet::new();
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            kept.objects.push(both.have.all[at].id.clone());
            let ends_with = |how: Dependency| {
                matches!(how, Dependency::DroppedWith | Dependency::OnlyDroppedWith)
            };
            let users = both.have.users[at].iter().filter(|(_, how)| ends_with(*how));
            let bases = both.have.uses[at].iter();
            let near = users.chain(bases).map(|(it, _)| *it);
            open.extend(near.filter(|it| both.is_gone(&both.have.all[*it].id)));
        }
        kept
    }
}

/// The two schemas of a change.
struct SchemaPair<'a> {
    have: &'a Facts,
    wanted: &'a Facts,
}

impl SchemaPair<'_> {
    fn is_gone(&self, id: &Identity) -> bool {
        self.wanted.find(id).is_none()
    }

    fn dropped(&self, id: &Identity, policy: ConsentPolicy) -> Option<Removal> {
        let at = self.have.find(id)?;
        let fact = &self.have.all[at];
        let needs_consent = policy == ConsentPolicy::Everything || is_protection(fact);
        (needs_consent && !self.goes_along(at)).then(|| Removal::object(fact))
    }

    /// Whether it goes because something else does, or becomes another form of the same.
    fn goes_along(&self, at: usize) -> bool {
        let fact = &self.have.all[at];
        let ends_with =
            |how: &Dependency| matches!(how, Dependency::DroppedWith | Dependency::OnlyDroppedWith);
        let mut bases = self.have.uses[at].iter().filter(|(_, how)| ends_with(how));
        let is_origin_gone = fact.origin.is_some_and(|it| self.is_gone(&self.have.all[it].id));
        match fact.id.kind {
            // Other privileges than usual do not go, they change.
            ObjectKind::SequenceOwner | ObjectKind::Privileges | ObjectKind::DefaultPrivileges => {
                true
            }
            // It goes with the default that reads it.
            ObjectKind::Sequence
                if self.have.get(ObjectKind::SequenceOwner, &fact.id.names).is_some() =>
            {
                true
            }
            ObjectKind::DefaultValue if self.changes_its_source(fact) => true,
            ObjectKind::Table if self.is_partition_of_gone(fact) => true,
            // A foreign key goes with the table that it refers to.
            ObjectKind::TableConstraint if fact.note("type") == Some("f") => {
                let mut all = self.have.uses[at].iter();
                is_origin_gone || all.any(|(it, _)| self.is_gone(&self.have.all[*it].id))
            }
            _ => is_origin_gone || bases.any(|(it, _)| self.is_gone(&self.have.all[*it].id)),
        }
    }

    fn is_partition_of_gone(&self, table: &Fact) -> bool {
        self.have.partitioned_above(table).is_some_and(|it| self.is_gone(&it.id))
    }

    /// Whether the column of a default gets its values in another way.
    fn changes_its_source(&self, default: &Fact) -> bool {
        let column = |facts: &Facts| facts.get(ObjectKind::Column, &default.id.names).cloned();
        let (Some(old), Some(new)) = (column(self.have), column(self.wanted)) else { return true };
        ["identity", "generated"]
            .iter()
            .any(|it| old.attributes.get(*it) != new.attributes.get(*it))
    }

    /// Privileges of which an owner loses one.
    fn revoked(&self, id: &Identity) -> Option<Removal> {
        if id.kind != ObjectKind::Privileges {
            return None;
        }
        let [old, new] = [self.have, self.wanted].map(|it| it.find(id).map(|at| &it.all[at]));
        let usual = old.or(new)?.notes.get("usual");
        let of_owner = |fact: Option<&Fact>| {
            let grants = fact.map_or(usual, |it| it.attributes.get("grants"));
            let all = grants.and_then(|it| it.get("@owner")).and_then(Value::as_array).cloned();
            all.unwrap_or_default()
        };
        let (old, new) = (of_owner(old), of_owner(new));
        let is_lost = old.iter().any(|it| !new.contains(it));
        is_lost.then(|| Removal::attribute(id, "grants"))
    }
}

/// Protection that an object loses while it stays.
fn weakened(id: &Identity, attribute: &str, to: Option<&Value>) -> Option<Removal> {
    match (id.kind, attribute, to) {
        (ObjectKind::Table, "row_security" | "force_row_security", None) => {
            let id = Identity { kind: ObjectKind::RowSecurity, ..id.clone() };
            Some(Removal { id, loses: None, what: RemovalKind::RowSecurity })
        }
        (
            ObjectKind::Trigger
            | ObjectKind::TriggerState
            | ObjectKind::EventTrigger
            | ObjectKind::Rule,
            "enabled",
            Some(to),
        ) if to == "D" => Some(Removal::attribute(id, "enabled")),
        _ => None,
    }
}

fn is_protection(fact: &Fact) -> bool {
    match fact.id.kind {
        ObjectKind::Policy
        | ObjectKind::Trigger
        | ObjectKind::EventTrigger
        | ObjectKind::Rule
        | ObjectKind::DomainConstraint => true,
        ObjectKind::TableConstraint => fact.note("type") == Some("c"),
        _ => false,
    }
}
