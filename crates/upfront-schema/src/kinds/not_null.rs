//! NOT NULL of columns as version 18 has it: not checked yet, or not for tables that inherit.

use crate::{
    catalog::facts::Fact,
    kinds::{
        alter_table,
        definition::{Change, Outcome},
        probe,
    },
    quote,
    sql::Sql,
};

const HOW: &str = "not_null_how";

/// What the definition of a column says of it.
pub(super) fn words(fact: &Fact) -> Option<String> {
    let how = fact.text(HOW).unwrap_or_default();
    // Only `ALTER TABLE` lets it be unchecked.
    let is_inline = fact.is("not_null") && !how.contains("NOT VALID");
    is_inline.then(|| format!("NOT NULL {how}").trim_end().to_owned())
}

/// The clause that makes one which is not checked.
pub(super) fn unchecked(fact: &Fact) -> Option<Sql> {
    fact.text(HOW).filter(|it| it.contains("NOT VALID")).map(|_| add(fact))
}

/// The clause that makes it as it is wanted.
pub(super) fn add(fact: &Fact) -> Sql {
    let (column, how) = (quote::name(fact.id.name()), fact.text(HOW).unwrap_or_default());
    let clause = format!("ADD NOT NULL {column} {how}");
    let sql = Sql::clause(alter_table::head(&fact.id.names), clause.trim_end());
    match how.contains("NOT VALID") {
        true => sql,
        false => {
            sql.may_fail(format!("no row may have NULL in {}", fact.id.path()), probe::nulls(fact))
        }
    }
}

pub(super) fn alter(it: &Change<'_>) -> Outcome {
    // Otherwise it comes or goes as a whole.
    if it.also("not_null") || alter_table::comes_from_parent(it) {
        return Outcome::InPlace(Vec::new());
    }
    let is = |fact: &Fact, how| fact.text(HOW).is_some_and(|it| it.contains(how));
    if is(it.to, "NOT VALID") && !is(it.from, "NOT VALID") {
        return Outcome::InPlace(vec![alter_table::clause(it.to, "DROP NOT NULL"), add(it.to)]);
    }
    let name = quote::name(it.from.note("not_null_name").unwrap_or_default());
    let clause = |text: String| Sql::clause(alter_table::head(&it.to.id.names), text);
    let mut sql = Vec::new();
    if is(it.from, "NO INHERIT") != is(it.to, "NO INHERIT") {
        let how = if is(it.to, "NO INHERIT") { "NO INHERIT" } else { "INHERIT" };
        sql.push(clause(format!("ALTER CONSTRAINT {name} {how}")));
    }
    if is(it.from, "NOT VALID") && !is(it.to, "NOT VALID") {
        let validate = clause(format!("VALIDATE CONSTRAINT {name}"));
        let why = format!("no row may have NULL in {}", it.to.id.path());
        sql.push(validate.may_fail(why, probe::nulls(it.to)));
    }
    Outcome::InPlace(sql)
}
