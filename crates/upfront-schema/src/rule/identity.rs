//! Identity columns, and the sequences behind them.

use serde_json::Value;

use crate::rule::column::{clause, in_place, list};
use crate::rule::{Change, Outcome, sequence};

pub(super) fn alter_identity(it: &Change<'_>) -> Outcome {
    match (it.old_value(), it.wanted_text()) {
        (None, Some(how)) => {
            let add = clause(it.to, &format!("ADD GENERATED {how} AS IDENTITY{}", list(it.to)));
            let options = it.to.attributes.get("identity_options");
            let sequence = sequence::of_identity(it.to);
            Outcome::InPlace(vec![add, sequence::catch_up(&sequence, it.to, options)])
        }
        (Some(_), Some(how)) => in_place(it, &format!("SET GENERATED {how}")),
        (_, None) if it.also("not_null") => {
            Outcome::InPlace(vec![clause(it.to, "DROP IDENTITY"), clause(it.to, "DROP NOT NULL")])
        }
        (_, None) => in_place(it, "DROP IDENTITY"),
    }
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
        return Outcome::Refuse(format!("the sequence of {} has another name", it.to.id.path()));
    }
    let sequence = sequence::of_identity(it.to);
    let mut sql = sequence::moves(&sequence, it.old_value(), it.wanted_value());
    let changes = sequence::alterations(it.old_value(), it.wanted_value());
    let clause_of = |it: &String| match it.starts_with("RESTART") {
        true => it.clone(),
        false => format!("SET {it}"),
    };
    let clauses = changes.iter().map(clause_of).collect::<Vec<_>>();
    sql.push(clause(it.to, &clauses.join(" ")));
    Outcome::InPlace(sql)
}
