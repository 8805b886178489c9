//! A plan: statements with comments, as they are written to a file.

use std::{collections::HashSet, fmt};

use crate::{
    catalog::facts::Facts,
    diff::{
        actions::Actions,
        effect::Effect,
        steps::{self, PlannedStep, Verb},
    },
    error::Result,
    kinds::object_kind::{ObjectKind, RecreatePolicy},
    options::{Options, Strategy},
    scratch::observe::Lock,
    sql::{Hazard, Placement, Sql},
};

/// The SQL that turns one schema into another, statement by statement.
///
/// [`Display`](fmt::Display) writes it as a file: a comment line, lines for what may be lost or
/// fail, then the statement.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order in which they run.
    pub statements: Vec<Statement>,
    /// Remaining differences that no SQL can change, as the order of columns, once the plan is
    /// tested.
    pub notes: Vec<String>,
}

/// One statement of a plan.
#[derive(Clone, Debug)]
pub struct Statement {
    /// A heading that describes the statement.
    pub comment: String,
    /// Without the `;`.
    pub sql: String,
    /// Data loss, failures, rewrites and long locks that it may cause.
    pub hazards: Vec<Hazard>,
    /// Its effects, object by object.
    pub effects: Vec<Effect>,
    /// The locks observed on the copy, once the plan is tested.
    pub locks: Vec<Lock>,
    /// Those of one even phase are one transaction, those of an odd one run outside of any. It
    /// never falls from one statement to the next.
    pub phase: u32,
}

/// Plans the change from one schema to another.
///
/// # Errors
///
/// If no SQL can express a difference, or if it needs a decision of the author.
pub fn plan(a: &Facts, b: &Facts, options: &Options) -> Result<Plan> {
    if a.has_aliases() || b.has_aliases() {
        let orders = a.orders.after_change_to(&b.orders);
        let [a, b] = [a, b].map(|it| it.with_aliases(&orders));
        return self::plan(&a, &b, options);
    }
    let actions = Actions::of(a, b, options)?;
    let works = steps::order(&actions)?;
    if options.strategy == Strategy::OnlineBuilds && leaves_a_gap(&works) {
        return self::plan(a, b, &Options { strategy: Strategy::Plain, ..options.clone() });
    }
    let mut plan = Plan::default();
    let lets_bodies_be = may_name_each_other(&works);
    for it in works {
        plan.add(it);
    }
    plan.divide();
    if lets_bodies_be {
        plan.let_bodies_be();
    }
    Ok(plan)
}

/// Whether something that guards or shows rows goes and comes back in another transaction: statement
/// by statement, programs would find it missing.
fn leaves_a_gap(works: &[PlannedStep<'_>]) -> bool {
    // Indexes and keys have forms that leave none.
    let is_definition = |it: &&PlannedStep<'_>| {
        it.fact.id.kind.recreate() == RecreatePolicy::Anytime
            && !matches!(
                it.fact.id.kind,
                ObjectKind::Index | ObjectKind::TableConstraint | ObjectKind::Comment
            )
    };
    let of = |verb| works.iter().filter(is_definition).filter(move |it| it.verb == verb);
    let made: HashSet<_> = of(Verb::Create).map(|it| &it.fact.id).collect();
    works.iter().any(|it| it.phase > 0) && of(Verb::Drop).any(|it| made.contains(&it.fact.id))
}

/// Whether a routine is made beside something that its body may name.
fn may_name_each_other(works: &[PlannedStep<'_>]) -> bool {
    let is_routine = |it: &PlannedStep<'_>| {
        matches!(it.fact.id.kind, ObjectKind::Function | ObjectKind::Procedure)
    };
    let is_other = |it: &PlannedStep<'_>| {
        !is_routine(it)
            && !matches!(
                it.fact.id.kind,
                ObjectKind::Comment | ObjectKind::Privileges | ObjectKind::Trigger
            )
    };
    let makes = works.iter().any(|it| is_routine(it) && it.verb != Verb::Drop);
    makes && (works.iter().any(is_other) || works.iter().filter(|it| is_routine(it)).count() > 1)
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The same for `psql -f`, each part in a transaction of its own.
    #[must_use]
    pub fn script(&self) -> String {
        let part = |part: &[Statement]| {
            let body: String = part.iter().map(ToString::to_string).collect();
            match part.iter().any(Statement::stands_alone) {
                true => body,
                false => format!("BEGIN;\n{body}COMMIT;\n"),
            }
        };
        self.parts().map(part).collect()
    }

    /// The statements by phase.
    pub fn parts(&self) -> impl Iterator<Item = &[Statement]> {
        self.statements.chunk_by(|one, next| one.phase == next.phase)
    }

    /// The same as a list of statements of which each stands alone, as `psql -f` runs them.
    #[must_use]
    pub fn listing(&self) -> String {
        self.to_string().replace("\nSET LOCAL check_function_bodies", "\nSET check_function_bodies")
    }

    fn add(&mut self, work: PlannedStep<'_>) {
        let comment = comment(&work);
        let table = match work.fact.id.kind {
            ObjectKind::Index => comment.clone(),
            _ => {
                format!("Modify \"{}\" table", work.fact.id.names.get(1).map_or("", String::as_str))
            }
        };
        let effects: Vec<_> = work.sql.iter().map(|it| Effect::of(&work, it)).collect();
        for (sql, effect) in work.sql.into_iter().zip(effects) {
            let last = self.statements.last().filter(|it| it.phase == work.phase);
            let last_head = last.and_then(|it| head_of(&it.sql));
            match (&sql.head, last_head) {
                (Some(head), Some(last)) if *head == last => self.extend(sql),
                (Some(_), _) => self.push(&table, work.phase, sql),
                (None, _) => {
                    let own = sql.comment.clone();
                    self.push(own.as_ref().unwrap_or(&comment), work.phase, sql);
                }
            }
            let last = self.statements.last_mut().expect("it was just added");
            last.effects.push(effect);
        }
    }

    fn push(&mut self, comment: &str, phase: u32, sql: Sql) {
        let comment = comment.to_owned();
        let text = match &sql.head {
            Some(head) => format!("{head}\n  {}", sql.text),
            None => sql.text,
        };
        let locks = match &sql.place {
            Placement::OutsideTransaction(table) => vec![Lock::concurrent(table)],
            _ => Vec::new(),
        };
        let (effects, hazards) = (Vec::new(), sql.hazards);
        self.statements.push(Statement { comment, sql: text, hazards, effects, locks, phase });
    }

    fn extend(&mut self, sql: Sql) {
        let last = self.statements.last_mut().expect("its head was just read");
        last.sql.push_str(",\n  ");
        last.sql.push_str(&sql.text);
        last.hazards.extend(
            sql.hazards.into_iter().filter(|it| !last.hazards.contains(it)).collect::<Vec<_>>(),
        );
    }

    /// Puts what was seen in the place of what was expected.
    pub(crate) fn observed(&mut self, locks: Vec<Vec<Lock>>) {
        for (it, locks) in self.statements.iter_mut().zip(locks) {
            it.hazards.retain(|it| !matches!(it, Hazard::Rewrites(_) | Hazard::Locks(_)));
            it.hazards.extend(locks.iter().filter_map(hazard));
            it.locks = locks;
        }
    }

    /// Ends the transaction where a new value of an enum is used further down.
    fn divide(&mut self) {
        let mut open: Vec<String> = Vec::new();
        for at in 0..self.statements.len() {
            let phase = self.statements[at].phase;
            if at > 0 && self.statements[at - 1].phase != phase {
                open.clear();
            }
            let sql = &self.statements[at].sql;
            if let Some(label) = added_label(sql) {
                open.push(label);
            } else if open.iter().any(|label| sql.contains(label.as_str())) {
                self.commit_labels(at);
                open.clear();
            }
        }
    }

    /// Lets the new values of enums be committed before a statement. Nothing else is committed
    /// with them than what stands before them: what goes to come back must not be missed in between.
    pub(crate) fn commit_labels(&mut self, before: usize) {
        let phase = self.statements[before].phase;
        let is_label = |at: &usize| {
            let it = &self.statements[*at];
            it.phase == phase && added_label(&it.sql).is_some()
        };
        let last = (0..before).rev().find(is_label);
        self.commit_before(last.map_or(before, |it| it + 1));
    }

    /// Puts a statement and those behind it into later transactions.
    fn commit_before(&mut self, at: usize) {
        self.statements[at..].iter_mut().for_each(|it| it.phase += 2);
    }

    /// Lets routines name what comes after them, in each transaction that makes one.
    fn let_bodies_be(&mut self) {
        let is_routine = |it: &Statement| {
            let sql = it.sql.strip_prefix("CREATE ").unwrap_or_default();
            let sql = sql.strip_prefix("OR REPLACE ").unwrap_or(sql);
            sql.starts_with("FUNCTION ") || sql.starts_with("PROCEDURE ")
        };
        let off = |phase| Statement {
            comment: "Let routines reference objects that are created later".to_owned(),
            sql: "SET LOCAL check_function_bodies = off".to_owned(),
            hazards: Vec::new(),
            effects: Vec::new(),
            locks: Vec::new(),
            phase,
        };
        let part = |part: &[Statement]| {
            let first = part.iter().find(|it| is_routine(it)).map(|it| off(it.phase));
            first.into_iter().chain(part.iter().cloned()).collect::<Vec<_>>()
        };
        self.statements = self.parts().flat_map(part).collect();
    }
}

/// What is worth a word: a short lock is not.
fn hazard(of: &Lock) -> Option<Hazard> {
    let Lock { table, mode, .. } = of;
    match of.rewrites {
        true => Some(Hazard::Rewrites(table.clone())),
        false if of.keeps_waiting() => {
            Some(Hazard::Locks(format!("{table} is locked ({mode}) while all its rows are read")))
        }
        false => None,
    }
}

/// The literal of a label that an enum gets.
fn added_label(sql: &str) -> Option<String> {
    let rest = sql.strip_prefix("ALTER TYPE ")?.split_once(" ADD VALUE ")?.1;
    let end = rest.rfind(" BEFORE ").or_else(|| rest.rfind(" AFTER ")).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// The head that further clauses can be added to.
fn head_of(sql: &str) -> Option<String> {
    let (head, _) = sql.split_once("\n  ")?;
    (head.starts_with("ALTER TABLE ") && !head.contains(" ATTACH ")).then(|| head.to_owned())
}

fn comment(work: &PlannedStep<'_>) -> String {
    let verb = match work.verb {
        Verb::Drop => "Drop",
        Verb::Alter => "Modify",
        Verb::Create => "Create",
    };
    let id = &work.fact.id;
    let names: Vec<_> = id.names.iter().map(|it| format!("\"{it}\"")).collect();
    match (id.kind, work.verb) {
        (ObjectKind::Comment | ObjectKind::Privileges, _) => {
            format!("Set {} of {}", id.kind, names[1..].join("."))
        }
        (ObjectKind::Inheritance, Verb::Drop) => format!("Detach {} from {}", names[1], names[3]),
        (ObjectKind::Inheritance, _) => format!("Attach {} to {}", names[1], names[3]),
        (ObjectKind::SequenceOwner, _) => format!("Set owner of {} sequence", names[1]),
        (ObjectKind::DefaultPrivileges, _) => format!("Set default privileges in {}", names[1]),
        (ObjectKind::Cast, _) => format!("{verb} cast"),
        (kind, _) => format!("{verb} \"{}\" {kind}", id.name()),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statements.iter().try_for_each(|it| it.fmt(f))
    }
}

impl Statement {
    /// Whether no transaction may be around it.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.phase % 2 == 1
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name may hold a line feed, which would end the comment.
        writeln!(f, "-- {}", self.comment.replace(['\n', '\r'], " "))?;
        for it in &self.hazards {
            writeln!(f, "-- {}", it.to_string().replace(['\n', '\r'], " "))?;
            if let Hazard::MayFail(_, probe) = it {
                // A text in it may have a line feed: without the marks it is the same query.
                writeln!(f, "-- {}", probe.to_string().replace('\n', "\n-- "))?;
            }
        }
        writeln!(f, "{};", self.sql)
    }
}
