//! Sequences of columns, and how a replacement continues from the old position.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{enum_type::temporary_name, object_kind::ObjectKind, sequence_options},
    quote,
    sql::Sql,
};

/// The sequence of an identity column, or the one that its default takes values from.
#[derive(Clone, Copy)]
enum ColumnSequence<'a> {
    Identity(&'a Fact),
    Sequence(&'a Fact),
}

impl<'a> ColumnSequence<'a> {
    fn of(facts: &'a Facts, column: &'a Fact) -> Option<Self> {
        if column.text("identity").is_some() {
            return Some(Self::Identity(column));
        }
        let default = facts.get(ObjectKind::DefaultValue, &column.id.names)?;
        default.text("expression").filter(|it| it.starts_with("nextval("))?;
        let uses = &facts.uses[facts.find(&default.id)?];
        let mut bases = uses.iter().map(|(it, _)| &facts.all[*it]);
        bases.find(|it| it.id.kind == ObjectKind::Sequence).map(Self::Sequence)
    }

    fn is(self, sequence: &Fact) -> bool {
        matches!(self, Self::Sequence(it) if it.id == sequence.id)
    }

    fn path(self) -> String {
        match self {
            Self::Identity(column) => sequence_options::of_identity(column),
            Self::Sequence(it) => it.id.path(),
        }
    }

    fn options(self) -> Option<&'a Value> {
        match self {
            Self::Identity(column) => column.attributes.get("identity_options"),
            Self::Sequence(it) => it.attributes.get("options"),
        }
    }
}

/// A column that counts before and after, and after by a sequence that is new.
///
/// The new one continues from the old position: `max(…) + 1` could return values again that
/// rows had which are gone.
pub(crate) struct SequenceReplacement<'a> {
    /// The column in the second schema.
    pub(crate) column: &'a Fact,
    old: ColumnSequence<'a>,
    new: ColumnSequence<'a>,
}

impl<'a> SequenceReplacement<'a> {
    /// That of a column of the second schema.
    pub(crate) fn of_column(a: &'a Facts, b: &'a Facts, column: &'a Fact) -> Option<Self> {
        let it = Self::candidate(a, b, column)?;
        match it.new {
            ColumnSequence::Identity(_) => Some(it),
            // A sequence of several columns continues from that of the first.
            ColumnSequence::Sequence(new) => {
                Self::of_new(a, b, new).filter(|it| it.column.id == column.id)
            }
        }
    }

    /// That to a sequence of the second schema.
    pub(crate) fn of_new(a: &'a Facts, b: &'a Facts, sequence: &Fact) -> Option<Self> {
        if a.find(&sequence.id).is_some() {
            return None;
        }
        let mut all = columns(b, sequence).filter_map(|it| Self::candidate(a, b, it));
        all.find(|it| it.new.is(sequence))
    }

    /// That from a sequence of the first schema.
    pub(crate) fn of_old(a: &'a Facts, b: &'a Facts, sequence: &Fact) -> Option<Self> {
        let counterparts =
            columns(a, sequence).filter_map(|it| b.get(ObjectKind::Column, &it.id.names));
        let mut all = counterparts.filter_map(|it| Self::of_column(a, b, it));
        all.find(|it| it.old.is(sequence))
    }

    fn candidate(a: &'a Facts, b: &'a Facts, column: &'a Fact) -> Option<Self> {
        let from = a.get(ObjectKind::Column, &column.id.names)?;
        if [from, column].iter().any(|it| it.origin.is_some()) || !is_table_kept(a, b, column) {
            return None;
        }
        let it =
            Self { column, old: ColumnSequence::of(a, from)?, new: ColumnSequence::of(b, column)? };
        let is_new = match (it.old, it.new) {
            (ColumnSequence::Identity(_), ColumnSequence::Identity(_)) => false,
            (_, ColumnSequence::Sequence(new)) => a.find(&new.id).is_none(),
            (_, ColumnSequence::Identity(_)) => true,
        };
        (is_new && sequence_options::can_follow(it.old.options(), it.new.options())).then_some(it)
    }

    /// Whether the step of the column makes the new one, too.
    pub(crate) fn is_from_identity(&self) -> bool {
        matches!(self.old, ColumnSequence::Identity(_))
    }

    /// Whether the step of the column drops the old one, too.
    pub(crate) fn is_to_identity(&self) -> bool {
        matches!(self.new, ColumnSequence::Identity(_))
    }

    /// Makes the new one while the old one is there.
    pub(super) fn make(&self, b: &Facts, create: Sql) -> Vec<Sql> {
        let (temporary_name, old) = self.parted();
        let mut sql: Vec<_> =
            temporary_name.into_iter().chain([create, self.go_on(&old)]).collect();
        if let ColumnSequence::Sequence(it) = self.old
            && self.is_to_identity()
            && b.find(&it.id).is_none()
        {
            sql.push(
                Sql::whole(format!("DROP SEQUENCE {old}")).with_comment("Drop the old sequence"),
            );
        }
        sql
    }

    /// The old sequence in the first schema, unless it is that of an identity column.
    pub(crate) fn old_sequence(&self) -> Option<&'a Fact> {
        match self.old {
            ColumnSequence::Identity(_) => None,
            ColumnSequence::Sequence(it) => Some(it),
        }
    }

    /// The new sequence in the second schema, unless it is that of an identity column.
    pub(crate) fn new_sequence(&self) -> Option<&'a Fact> {
        match self.new {
            ColumnSequence::Identity(_) => None,
            ColumnSequence::Sequence(it) => Some(it),
        }
    }

    /// What gives the name of the old one away, and what it is called then.
    fn parted(&self) -> (Option<Sql>, String) {
        let path = self.old.path();
        let (ColumnSequence::Sequence(it), true) =
            (if self.is_to_identity() { self.old } else { self.new }, path == self.new.path())
        else {
            return (None, path);
        };
        let name = temporary_name(&it.id);
        let sql = Sql::whole(format!("ALTER SEQUENCE {path} RENAME TO {}", quote::name(&name)));
        let sql = sql
            .with_comment(format!("Rename \"{}\" sequence, which is dropped later", it.id.name()));
        (Some(sql), quote::qualified(&[it.id.names[0].clone(), name]))
    }

    /// Sets the new one to the position of the old one.
    pub(super) fn go_on(&self, old: &str) -> Sql {
        let options = [self.old.options(), self.new.options()];
        let sql = sequence_options::position(options, old, &self.new.path());
        sql.with_comment("Continue from the position of the old sequence")
    }

    /// The path of the old one as long as it has its name.
    pub(super) fn old_path(&self) -> String {
        self.old.path()
    }
}

/// The columns whose defaults use a sequence.
fn columns<'a>(facts: &'a Facts, sequence: &Fact) -> impl Iterator<Item = &'a Fact> {
    let users = facts.find(&sequence.id).map(|at| facts.users[at].as_slice());
    let users = users.unwrap_or_default().iter().map(|(it, _)| &facts.all[*it]);
    let defaults = users.filter(|it| it.id.kind == ObjectKind::DefaultValue);
    defaults.filter_map(|it| facts.parent(it)).filter(|it| it.id.kind == ObjectKind::Column)
}

/// A table that is dropped and made again takes its sequences along.
fn is_table_kept(a: &Facts, b: &Facts, column: &Fact) -> bool {
    let key = |facts: &Facts| {
        let table = facts.get(ObjectKind::Table, &column.id.names[..2])?;
        Some(table.attributes.get("partition_key").cloned())
    };
    key(a).is_some_and(|it| Some(it) == key(b))
}
