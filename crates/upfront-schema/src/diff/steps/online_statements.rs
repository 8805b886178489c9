//! Statements that let programs read and write meanwhile.

use crate::{
    catalog::{facts::Fact, identity::Identity},
    diff::steps::Steps,
    kinds::{column, constraint, object_kind::ObjectKind},
    quote,
    sql::{Placement, Probe, Sql},
};

impl<'a> Steps<'a> {
    /// The statements that make an object, where there is a way to make it without a long lock.
    pub(super) fn create_online(&self, at: usize, fact: &Fact, sql: Vec<Sql>) -> Vec<Sql> {
        if sql.is_empty() {
            return sql;
        }
        match (fact.id.kind, fact.note("type")) {
            (ObjectKind::Index, _) => self.create_index(at, fact, sql),
            (ObjectKind::TableConstraint, Some("p" | "u")) if self.is_built_before(fact) => {
                self.build_key(at, fact, sql)
            }
            (ObjectKind::TableConstraint, Some("c" | "f")) if self.is_validated_later(fact) => {
                validated_later(fact, sql)
            }
            _ => sql,
        }
    }

    fn create_index(&self, at: usize, fact: &Fact, mut sql: Vec<Sql>) -> Vec<Sql> {
        let table = self.b().parent(fact).map(|it| it.id.path()).unwrap_or_default();
        if self.is_by_parts(at) {
            let own = quote::name(fact.id.name());
            sql[0].text = on(&sql[0].text, fact.id.name(), &format!("INDEX {own} ON ONLY "));
        } else if self.is_online() && self.is_plain_and_stays(self.b(), fact) {
            sql[0].text = concurrently(&sql[0].text);
            sql[0].place = Placement::OutsideTransaction(table);
            sql.iter_mut().skip(1).for_each(|it| it.is_follow_up = true);
            if let Some(name) = self.online.built(at) {
                build_under(name, fact, &mut sql);
            }
            let old = self.a().find(&fact.id).and_then(|it| self.online.parted(it));
            if let Some(name) = old {
                let text =
                    format!("ALTER INDEX {} RENAME TO {}", fact.id.path(), quote::name(name));
                let comment =
                    format!("Rename \"{}\" index, which is dropped later", fact.id.name());
                sql.insert(0, Sql::whole(text).with_comment(comment));
            }
        }
        sql.extend(self.index_attachment(at));
        sql
    }

    /// A unique index, and then the constraint by it.
    fn build_key(&self, at: usize, fact: &Fact, mut sql: Vec<Sql>) -> Vec<Sql> {
        let own = quote::name(fact.id.name());
        let name = self.online.built(at).map_or_else(|| own.clone(), quote::name);
        let text = constraint::index_definition(fact).unwrap_or_default();
        let text = on(text, fact.id.name(), &format!("INDEX {name} ON "));
        let tablespace =
            fact.text("tablespace").map(|it| format!(" TABLESPACE {}", quote::name(it)));
        let text = concurrently(&text) + &tablespace.unwrap_or_default();
        let what = if fact.note("type") == Some("p") { "PRIMARY KEY" } else { "UNIQUE" };
        let deferrable = fact.text("deferrable").map(|it| format!(" {it}")).unwrap_or_default();
        let build = Sql {
            hazards: std::mem::take(&mut sql[0].hazards),
            ..Sql::whole(text).at(Placement::OutsideTransaction(fact.id.owner_path())).with_comment(
                format!("Create the index of \"{}\" table constraint", fact.id.name()),
            )
        };
        sql[0].text = format!("ADD CONSTRAINT {own} {what} USING INDEX {name}{deferrable}");
        sql.iter_mut().skip(1).for_each(|it| it.is_follow_up = true);
        let index = [fact.id.names[0].clone(), fact.id.name().to_owned()];
        let old = self.a().find(&Identity::new(ObjectKind::Index, &index));
        if !old.is_some_and(|it| self.online.is_promoted(it)) {
            sql.insert(0, build);
        }
        sql
    }

    /// Foreign keys of partitioned tables cannot be.
    fn is_validated_later(&self, fact: &Fact) -> bool {
        let text = fact.text("definition").unwrap_or_default();
        let can_be = !fact.is("not_valid") && !text.ends_with("NOT ENFORCED");
        let is_there = match fact.note("type") {
            Some("f") => self.is_plain_and_stays(self.b(), fact),
            _ => self.is_there(self.b(), fact),
        };
        self.is_online() && can_be && is_there
    }

    /// The statements for a column that becomes NOT NULL, or that rows get values for.
    pub(super) fn not_null(&self, at: usize, fact: &Fact, mut sql: Vec<Sql>) -> Vec<Sql> {
        let set = column::set_not_null(fact);
        let Some(place) = sql.iter().position(|it| it.head == set.head && it.text == set.text)
        else {
            return sql;
        };
        let fill = self.fill(fact).map(|it| fill(fact, it));
        let is_checked = self.is_online() && self.is_there(self.b(), fact);
        if fill.is_none() && !is_checked {
            return sql;
        }
        let mut rest = sql.split_off(place);
        if let Some(it) = self.fill(fact) {
            rest[0].hazards.iter_mut().for_each(|hazard| hazard.ask(self.unfilled(fact, it)));
        }
        if self.online.is_proven(at) {
            // The server takes constraints away before it looks for a proof, so alone.
            rest[0] = Sql::whole(rest[0].statement())
                .with_comment(format!("Modify \"{}\" table", fact.id.names[1]));
        } else if is_checked {
            let name = self.unused(fact.id.name(), "not_null");
            let hazards = std::mem::take(&mut rest[0].hazards);
            let [add, validate, drop] = check(fact, &name);
            rest.splice(0..0, [Sql { hazards, ..validate }]);
            rest.insert(2, drop);
            sql.push(add);
        }
        rest.splice(0..0, fill);
        sql.extend(rest.into_iter().map(Sql::follow_up));
        sql
    }

    /// Counts the rows that have NULL still when they are filled.
    fn unfilled(&self, column: &Fact, expression: &str) -> Probe {
        let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
        let is_open = match self.a().find(&column.id) {
            Some(_) => format!("{name} IS NULL AND "),
            None => String::new(),
        };
        Probe::query(format!("SELECT count(*) FROM {table} WHERE {is_open}({expression}) IS NULL"))
    }

    /// The values of several columns of one table, in one statement.
    pub(super) fn fill_all(&self, columns: &[&'a Fact]) -> Sql {
        let table = columns[0].id.owner_path();
        let (mut sets, mut wheres, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for column in columns {
            let name = quote::name(column.id.name());
            let value = self.fill(column).unwrap_or("NULL");
            sets.push(format!(
                "\n  {name} = CASE WHEN {name} IS NULL THEN {value} ELSE {name} END"
            ));
            wheres.push(format!("{name} IS NULL"));
            names.push(format!("\"{}\"", column.id.name()));
        }
        let (sets, wheres) = (sets.join(","), wheres.join(" OR "));
        let comment = format!("Fill {} of {table}", names.join(", "));
        Sql::whole(format!("UPDATE {table} SET{sets}\nWHERE {wheres}"))
            .at(Placement::Backfill)
            .with_comment(comment)
    }

    /// What rows get. A default is called as its column is.
    pub(super) fn fill(&self, fact: &Fact) -> Option<&'a str> {
        let path = (fact.id.kind == ObjectKind::Column).then(|| fact.id.path())?;
        self.actions.options.fills.get(&path).map(String::as_str)
    }
}

/// The text of an index with other words before its table. The server puts fewer names in quotes
/// than are put there here.
fn on(text: &str, name: &str, words: &str) -> String {
    let own = [quote::name(name), name.to_owned()].map(|it| format!("INDEX {it} ON "));
    let own = own.iter().find(|it| text.contains(*it));
    own.map_or_else(|| text.to_owned(), |it| text.replacen(it, words, 1))
}

fn concurrently(text: &str) -> String {
    text.replacen("INDEX ", "INDEX CONCURRENTLY ", 1)
}

/// The name is that of a key until the transaction in which the index gets it.
fn build_under(name: &str, fact: &Fact, sql: &mut Vec<Sql>) {
    let (own, name) = (quote::name(fact.id.name()), quote::name(name));
    let words = format!("INDEX CONCURRENTLY {name} ON ");
    for it in [own.clone(), fact.id.name().to_owned()] {
        sql[0].text = sql[0].text.replacen(&format!("INDEX CONCURRENTLY {it} ON "), &words, 1);
    }
    let path = quote::name(&fact.id.names[0]);
    let text = format!("ALTER INDEX {path}.{name} RENAME TO {own}");
    let comment = format!("Rename the index that replaces \"{}\"", fact.id.name());
    sql.insert(1, Sql::whole(text).with_comment(comment));
}

fn validated_later(fact: &Fact, mut sql: Vec<Sql>) -> Vec<Sql> {
    sql[0].text.push_str(" NOT VALID");
    let hazards = std::mem::take(&mut sql[0].hazards);
    sql.push(Sql { hazards, ..validate(fact, fact.id.name()) }.follow_up());
    sql
}

fn validate(on: &Fact, name: &str) -> Sql {
    let text =
        format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", on.id.owner_path(), quote::name(name));
    Sql::whole(text)
        .at(Placement::Validation)
        .with_comment(format!("Validate \"{name}\" table constraint"))
}

/// What lets the server know that no row has NULL there, without a look at the rows under a lock.
fn check(column: &Fact, check: &str) -> [Sql; 3] {
    let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
    let own = quote::name(check);
    let add = format!("ADD CONSTRAINT {own} CHECK ({name} IS NOT NULL) NOT VALID");
    let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {own}");
    [
        Sql::clause(format!("ALTER TABLE {table}"), add),
        validate(column, check),
        Sql::whole(drop).with_comment(format!("Drop \"{check}\" table constraint")),
    ]
}

fn fill(column: &Fact, expression: &str) -> Sql {
    let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
    let text = format!("UPDATE {table} SET {name} = {expression} WHERE {name} IS NULL");
    let comment = format!("Fill \"{}\" of {table}", column.id.name());
    Sql::whole(text).at(Placement::Backfill).with_comment(comment)
}
