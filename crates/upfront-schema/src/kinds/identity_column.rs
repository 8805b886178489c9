//! Identity columns, and the sequences behind them.

use serde_json::Value;

use crate::{
    catalog::facts::Fact,
    kinds::{
        alter_table::{clause, comes_from_parent, in_place},
        definition::{Change, Outcome},
        sequence_options,
        sequence_replacement::SequenceReplacement,
    },
    sql::Sql,
};

pub(super) fn alter_identity(it: &Change<'_>) -> Outcome {
    match (it.old_value(), it.wanted_text()) {
        (None, Some(how)) => {
            let add = clause(it.to, &format!("ADD GENERATED {how} AS IDENTITY{}", list(it.to)));
            let options = it.to.attributes.get("identity_options");
            let sequence = sequence_options::of_identity(it.to);
            let mut sql = match SequenceReplacement::of_column(it.a, it.b, it.to) {
                Some(old) => old.make(it.b, add),
                None => vec![add, sequence_options::catch_up(&sequence, it.to, options)],
            };
            sql.extend(persistence(it.to));
            Outcome::InPlace(sql)
        }
        (Some(_), Some(how)) => in_place(it, &format!("SET GENERATED {how}")),
        (_, None) if comes_from_parent(it) => Outcome::InPlace(Vec::new()),
        (_, None) => Outcome::InPlace(drop_identity(it)),
    }
}

/// A sequence that takes the place of the column's own is made while that is there.
fn drop_identity(it: &Change<'_>) -> Vec<Sql> {
    let drop = clause(it.to, "DROP IDENTITY");
    let new = SequenceReplacement::of_column(it.a, it.b, it.to);
    let new = new.and_then(|it| Some((it.new_sequence()?, it)));
    let mut sql = match new {
        Some((new, old)) => {
            [old.make(it.b, sequence_options::definition(new)), vec![drop]].concat()
        }
        None => {
            vec![drop.loses(sequence_options::position_of(&sequence_options::of_identity(it.from)))]
        }
    };
    sql.extend(it.also("not_null").then(|| clause(it.to, "DROP NOT NULL")));
    sql
}

/// Whether the sequence is logged where that is not as the table is.
pub(super) fn persistence(column: &Fact) -> Option<Sql> {
    let wanted = own_persistence(column)?;
    Some(sequence_options::set_persistence(&sequence_options::of_identity(column), Some(wanted)))
}

fn own_persistence(column: &Fact) -> Option<&str> {
    column.attributes.get("identity_options")?.get("persistence")?.as_str()
}

/// An identity column cannot be NULL, so it loses the identity first.
pub(super) fn loses_identity(it: &Change<'_>) -> bool {
    it.from.text("identity").is_some() && it.to.text("identity").is_none()
}

pub(super) fn alter_identity_options(it: &Change<'_>) -> Outcome {
    if it.also("identity")
        && (it.from.text("identity").is_none() || it.to.text("identity").is_none())
    {
        return Outcome::InPlace(Vec::new());
    }
    let name = |it: Option<&Value>| it.and_then(|it| it.get("name")).cloned();
    if name(it.old_value()) != name(it.wanted_value()) {
        return Outcome::Refuse(format!(
            "the sequence of {} cannot get another name",
            it.to.id.path()
        ));
    }
    let sequence = sequence_options::of_identity(it.to);
    let mut sql = sequence_options::moves(&sequence, it.old_value(), it.wanted_value());
    if own_persistence(it.from) != own_persistence(it.to) {
        let table = it.b.parent(it.to).and_then(|it| it.text("persistence"));
        let wanted = own_persistence(it.to).or(table);
        sql.push(sequence_options::set_persistence(&sequence, wanted));
    }
    let changes = sequence_options::alterations(it.old_value(), it.wanted_value());
    let clause_of = |it: &String| match it.starts_with("RESTART") {
        true => it.clone(),
        false => format!("SET {it}"),
    };
    let clauses = changes.iter().map(clause_of).collect::<Vec<_>>();
    if !clauses.is_empty() {
        sql.push(clause(it.to, &clauses.join(" ")));
    }
    Outcome::InPlace(sql)
}

pub(super) fn list(fact: &Fact) -> String {
    let all = sequence_options::options(fact.attributes.get("identity_options"));
    if all.is_empty() { all } else { format!(" ({})", all.trim()) }
}
