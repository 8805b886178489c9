//! One rename of an object, as a step of a migration.

use crate::{
    catalog::identity::Identity,
    diff::{
        effect::{Effect, EffectKind},
        plan::Statement,
    },
    kinds::{object_kind::ObjectKind, reference},
    quote,
};

/// One step: an object, by its name before, and its own name after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    pub(crate) id: Identity,
    pub(crate) to: String,
    pub(crate) part: Part,
}

/// What of a name becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its own.
    Name,
    /// That of the schema around it.
    Schema,
    /// None: a schema is made for what moves into it.
    Made,
}

impl Renaming {
    /// The same the other way round.
    pub(crate) fn inverse(&self) -> Self {
        let old = match self.part {
            Part::Schema => self.id.names.first().cloned().unwrap_or_default(),
            Part::Name | Part::Made => self.id.name().to_owned(),
        };
        Self { id: self.renamed(), to: old, part: self.part }
    }

    /// The object by its name after.
    pub(crate) fn renamed(&self) -> Identity {
        let mut id = self.id.clone();
        let at = match self.part {
            Part::Schema => 0,
            Part::Name | Part::Made => id.names.len() - 1,
        };
        id.names[at].clone_from(&self.to);
        id
    }

    /// Whether a program may name it.
    pub(crate) fn is_breaking(&self) -> bool {
        !matches!(self.id.kind, ObjectKind::Index | ObjectKind::TableConstraint)
    }

    /// The statement that does it.
    pub(crate) fn statement(&self) -> Statement {
        let (old, new) = (quote::name(self.id.name()), quote::name(&self.to));
        let (noun, owner) = (self.id.kind.noun(), &self.id);
        let sql = match self.id.kind {
            _ if self.part == Part::Made => format!("CREATE SCHEMA {new}"),
            _ if self.part == Part::Schema => {
                format!("ALTER {noun} {} SET SCHEMA {new}", reference::reference(owner))
            }
            ObjectKind::Attribute => {
                format!("ALTER TYPE {} RENAME ATTRIBUTE {old} TO {new} CASCADE", owner.owner_path())
            }
            ObjectKind::Column | ObjectKind::TableConstraint => {
                format!("ALTER TABLE {} RENAME {noun} {old} TO {new}", owner.owner_path())
            }
            ObjectKind::EnumValue => {
                let (old, new) = (quote::literal(self.id.name()), quote::literal(&self.to));
                format!("ALTER TYPE {} RENAME VALUE {old} TO {new}", owner.owner_path())
            }
            _ => format!("ALTER {noun} {} RENAME TO {new}", reference::reference(owner)),
        };
        let (name, kind) = (self.id.name(), self.id.kind);
        let comment = match self.part {
            Part::Name => format!("Rename \"{name}\" {kind} to \"{}\"", self.to),
            Part::Schema => format!("Move \"{name}\" {kind} to schema \"{}\"", self.to),
            Part::Made => format!("Create \"{}\" schema", self.to),
        };
        let action = match self.part {
            Part::Made => EffectKind::Create,
            Part::Name | Part::Schema => EffectKind::Rename(self.to.clone()),
        };
        let effects = vec![Effect { action, id: self.id.clone() }];
        Statement { comment, sql, hazards: Vec::new(), effects, locks: Vec::new(), phase: 0 }
    }
}
