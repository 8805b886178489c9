//! One change of a schema, up and down.

use std::collections::BTreeMap;

use upfront_scratch::Database;

use crate::{
    catalog::{extract::extract, facts::Facts, identity::Identity, scope::Scope},
    diff::{
        difference::{Difference, difference},
        plan::{Plan, Statement, plan},
        uncompared,
    },
    error::{Error, Result},
    generate::{
        breaking,
        column_expression::ColumnExpression,
        decisions::Decisions,
        fills, lookup, lossy_casts,
        object_names::ObjectNames,
        rename_detection::{self, Candidate},
        renames,
        renaming::Renaming,
    },
    kinds::object_kind::ObjectKind,
    options::{Options, Strategy},
    scratch::{apply, session},
    sql::Hazard,
    verify::prove::{compared, load_schema, step},
};

/// What separates two databases of one server, with the answers that were given.
#[derive(Debug)]
pub struct Change<'a> {
    from: &'a Database<'a>,
    to: &'a Database<'a>,
    scope: &'a Scope,
    answers: &'a Decisions,
    renamings: Vec<Renaming>,
    fills: Vec<ColumnExpression>,
    have: Facts,
    wanted: Facts,
    strategy: Strategy,
}

/// A decision that only the author of a migration can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether the second object is the first one under another name.
    Rename(Identity, Identity),
    /// The value of existing rows in this column, which is new and NOT NULL.
    Fill(Identity),
}

/// The up and down scripts of one migration.
#[derive(Debug)]
pub struct UpDown {
    /// The up script.
    pub up: Plan,
    /// The down script.
    pub down: DownResult,
    /// Whether a program that was written for the schema before this migration may fail after it.
    pub is_breaking: bool,
}

/// The down script of a migration, if there can be one.
#[derive(Debug)]
pub enum DownResult {
    /// These statements undo the migration.
    Plan(Plan),
    /// The migration cannot be undone, and why.
    None(String),
}

impl<'a> Change<'a> {
    /// Compares two databases, with what was renamed under its new name.
    ///
    /// # Errors
    ///
    /// If there is something that is not modelled, or if an answer fits nothing.
    pub fn between(
        from: &'a Database<'a>,
        to: &'a Database<'a>,
        scope: &'a Scope,
        answers: &'a Decisions,
    ) -> Result<Self> {
        let copy = from.copy()?;
        let renamings = if answers.renames.is_empty() && answers.annotated.is_empty() {
            Vec::new()
        } else {
            let wanted = extract(&mut session::open(to)?, scope)?;
            renames::apply_requested(&copy, &wanted, scope, answers)?
        };
        Self::after(from, to, scope, answers, &copy, renamings)
    }

    /// The same where it is known what was renamed, as far as that is there.
    fn with_renamings(
        from: &'a Database<'a>,
        to: &'a Database<'a>,
        scope: &'a Scope,
        answers: &'a Decisions,
        renamings: Vec<Renaming>,
    ) -> Result<Self> {
        let copy = from.copy()?;
        let renamings = renames::execute_existing(&copy, renamings)?;
        Self::after(from, to, scope, answers, &copy, renamings)
    }

    fn after(
        from: &'a Database<'a>,
        to: &'a Database<'a>,
        scope: &'a Scope,
        answers: &'a Decisions,
        copy: &Database<'_>,
        renamings: Vec<Renaming>,
    ) -> Result<Self> {
        let ((_, mut have), (_, mut wanted)) = compared(copy, to, scope)?;
        let mut renamings = renamings;
        loop {
            let same = rename_detection::certain_renames(&have, &wanted);
            if same.is_empty() {
                break;
            }
            renames::execute(copy, &same)?;
            renamings.extend(same);
            ((_, have), (_, wanted)) = compared(copy, to, scope)?;
        }
        let mut fills = answers.fills.clone();
        fills.extend(answers.annotated.fills(&have, &wanted, &answers.fills)?);
        let strategy = Strategy::Plain;
        Ok(Self { from, to, scope, answers, renamings, fills, have, wanted, strategy })
    }

    /// Sets the strategy.
    #[must_use]
    pub fn with_strategy(self, strategy: Strategy) -> Self {
        Self { strategy, ..self }
    }

    /// Whether the two are alike.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.renamings.is_empty() && difference(&self.have, &self.wanted).is_empty()
    }

    /// How they differ, after what was renamed.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        difference(&self.have, &self.wanted)
    }

    /// The first schema, after what was renamed.
    pub(crate) fn have(&self) -> &Facts {
        &self.have
    }

    /// The second schema.
    pub(crate) fn wanted(&self) -> &Facts {
        &self.wanted
    }

    /// Whether `--no-rename` names an object, so that it is dropped.
    ///
    /// # Errors
    ///
    /// If an answer fits nothing.
    pub fn is_rename_denied(&self, id: &Identity) -> Result<bool> {
        self.is_denied(id)
    }

    /// Descriptions of the renames, from options and annotations.
    pub fn renamed(&self) -> impl Iterator<Item = String> {
        self.renamings.iter().map(|it| format!("{} is called `{}`", it.id, it.to))
    }

    /// Whether rows that are there get values.
    #[must_use]
    pub fn gives_values(&self) -> bool {
        !self.fills.is_empty()
    }

    /// The questions that must be answered before a migration can be written.
    ///
    /// # Errors
    ///
    /// If an answer fits nothing.
    pub fn questions(&self) -> Result<Vec<Question>> {
        let mut all = Vec::new();
        for (old, new) in rename_detection::candidates(&self.have, &self.wanted) {
            if !self.is_denied(&old)? {
                all.push(Question::Rename(old, new));
            }
        }
        let is_filled =
            |id: &Identity| self.fills.iter().any(|it| lookup::is_named(&id.names, &it.column));
        let missed = self.wanted.iter().filter(|it| {
            self.have.find(&it.id).is_none()
                && breaking::is_missed(&self.have, &self.wanted, it)
                && !is_filled(&it.id)
        });
        all.extend(missed.map(|it| Question::Fill(it.id.clone())));
        Ok(all)
    }

    /// What may have another name, each with all that it may be: more than [`questions`] has, where
    /// only what is beyond doubt but for the answer counts.
    ///
    /// [`questions`]: Self::questions
    ///
    /// # Errors
    ///
    /// If an answer fits nothing.
    pub fn candidates(&self) -> Result<Vec<Candidate>> {
        let mut all = Vec::new();
        for it in rename_detection::all_candidates(&self.have, &self.wanted) {
            if !self.is_denied(&it.old)? {
                all.push(it);
            }
        }
        Ok(all)
    }

    fn is_denied(&self, old: &Identity) -> Result<bool> {
        for it in &self.answers.not_renamed {
            let name = lookup::parts(it).ok_or_else(|| lookup::not(it, "this is not a name"))?;
            if lookup::is_named(&old.names, &name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The statements that lead from the first to the second.
    ///
    /// # Errors
    ///
    /// If a difference has no SQL that does it, or an answer fits nothing.
    pub fn plan(&self) -> Result<Plan> {
        let options = self.options(&self.answers.usings)?;
        let mut plan = plan(&self.have, &self.wanted, &options)?;
        lossy_casts::mark(&mut plan, &self.differences());
        let renames = self.renamings.iter().map(Renaming::statement);
        plan.statements.splice(0..0, renames);
        self.divide(&mut plan)?;
        Ok(plan)
    }

    /// Ends a transaction where the server says that a new value of an enum has to be committed
    /// before it is used; a text does not show every use.
    fn divide(&self, plan: &mut Plan) -> Result<()> {
        while plan.statements.iter().any(|it| it.sql.contains(" ADD VALUE ")) {
            let copy = self.from.copy()?;
            let Err(err) = apply::apply(&mut session::open(&copy)?, plan, "up") else { break };
            let Some(sql) = err.uses_new_value() else { break };
            match plan.statements.iter().position(|it| it.sql == sql) {
                Some(at)
                    if at > 0 && plan.statements[at - 1].phase == plan.statements[at].phase =>
                {
                    plan.commit_labels(at);
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// How values become others.
    fn options(&self, usings: &[ColumnExpression]) -> Result<Options> {
        let mut using = BTreeMap::new();
        for it in usings {
            let wrong = |why: &str| lookup::not(it.to_string(), why);
            let column = lookup::find(&self.wanted, &[ObjectKind::Column], &it.column);
            let column = column.map_err(|why| wrong(&why))?;
            let old =
                self.have.get(ObjectKind::Column, &column.id.names).and_then(|it| it.text("type"));
            if old.is_none() || old == column.text("type") {
                return Err(wrong("the type of the column does not change"));
            }
            using.insert(column.id.path(), it.expression.clone());
        }
        let fills = fills::fills(&self.have, &self.wanted, &self.fills)?;
        let (scope, strategy) = (self.scope.clone(), self.strategy);
        Ok(Options { scope, using, fills, strategy, ..Options::default() })
    }

    /// The plan, seen to work on a copy.
    ///
    /// # Errors
    ///
    /// Those of [`plan`](Self::plan); or if it fails or leaves a difference.
    pub fn proven(&self) -> Result<Plan> {
        let mut plan = self.plan()?;
        let goal = load_schema(self.to, self.scope)?;
        step(&self.from.copy()?, &mut plan, "up", &goal, self.scope)?;
        Ok(plan)
    }

    /// The plan, split into the migrations that it needs, each with its down script.
    ///
    /// # Errors
    ///
    /// Those of [`plan`](Self::plan); or if a part fails.
    pub fn sides(&self) -> Result<Vec<UpDown>> {
        let mut plan = self.plan()?;
        let copy = self.from.copy()?;
        plan.observed(apply::apply(&mut session::open(&copy)?, &plan, "up")?);
        let mut before = self.from.copy()?;
        let mut all = Vec::new();
        for (at, part) in plan.parts().enumerate() {
            let up = Plan { statements: part.to_vec(), notes: Vec::new() };
            let after = before.copy()?;
            apply::apply(&mut session::open(&after)?, &up, "up")?;
            let mut back = indexes_back(&after, &before)?;
            if at == 0 {
                back.extend(self.renamings.iter().rev().map(Renaming::inverse));
            }
            let renames = self.renamings.iter().any(Renaming::is_breaking);
            let is_breaking = at == 0 && renames || self.breaks(&before, &after)?;
            let (usings, strategy) = (&self.answers.usings_down, self.strategy.reversed());
            let down = way_back(&after, &before, self.scope, back, usings, strategy)?;
            all.push(UpDown { up, down, is_breaking });
            before = after;
        }
        Ok(all)
    }

    fn breaks(&self, before: &Database<'_>, after: &Database<'_>) -> Result<bool> {
        let facts = |it| Ok::<_, Error>(load_schema(it, self.scope)?.1);
        Ok(breaking::is_breaking(&facts(before)?, &facts(after)?))
    }
}

/// The indexes that made way for others of their names.
fn indexes_back(after: &Database<'_>, before: &Database<'_>) -> Result<Vec<Renaming>> {
    let mut all = ObjectNames::read(after)?.back_to(&ObjectNames::read(before)?);
    all.retain(|it| it.id.kind == ObjectKind::Index);
    Ok(all)
}

fn way_back(
    from: &Database<'_>,
    to: &Database<'_>,
    scope: &Scope,
    renamings: Vec<Renaming>,
    usings: &[ColumnExpression],
    strategy: Strategy,
) -> Result<DownResult> {
    let none = Decisions::default();
    let change = Change::with_renamings(from, to, scope, &none, renamings)?.with_strategy(strategy);
    let usings = usings.iter().filter(|it| change.options(std::slice::from_ref(it)).is_ok());
    let answers = Decisions { usings: usings.cloned().collect(), ..Decisions::default() };
    match (Change { answers: &answers, ..change }).plan() {
        Ok(mut plan) => {
            // Whether it works at all is for the proof to say, by the whole file.
            let copy = from.copy()?;
            if let Ok(seen) = apply::apply(&mut session::open(&copy)?, &plan, "down") {
                plan.observed(seen);
            }
            Ok(DownResult::Plan(plan))
        }
        Err(err) if err.is_refused() => Ok(DownResult::None(err.to_string())),
        Err(err) => Err(err),
    }
}

/// In what two databases differ that count as equal: the order of columns.
///
/// # Errors
///
/// If there is something that is not modelled.
pub fn uncompared_differences(
    there: &Database<'_>,
    wanted: &Database<'_>,
    scope: &Scope,
) -> Result<Vec<String>> {
    Ok(uncompared::uncompared_differences(
        &load_schema(there, scope)?.1,
        &load_schema(wanted, scope)?.1,
    ))
}

impl DownResult {
    /// Plans the rollback from one database to another, given the renames that undo those of the
    /// migration.
    ///
    /// # Errors
    ///
    /// If there is something that is not modelled.
    pub fn between(
        from: &Database<'_>,
        to: &Database<'_>,
        scope: &Scope,
        renamings: Vec<Renaming>,
        strategy: Strategy,
    ) -> Result<Self> {
        way_back(from, to, scope, renamings, &[], strategy)
    }
}

impl Plan {
    /// What its statements lose, in their words.
    #[must_use]
    pub fn losses(&self) -> Vec<String> {
        let hazards = self.statements.iter().flat_map(|it| &it.hazards);
        let lost = hazards.filter_map(|it| match it {
            Hazard::LosesData(what) => Some(what.clone()),
            _ => None,
        });
        lost.collect()
    }

    /// Whether it is more than one transaction.
    #[must_use]
    pub fn is_divided(&self) -> bool {
        self.parts().count() > 1 || self.statements.iter().any(Statement::stands_alone)
    }
}
