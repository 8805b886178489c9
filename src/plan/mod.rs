//! What a migration or a rollback would do, for review and approval.

pub(crate) mod checksum;
pub(crate) mod command;
pub(crate) mod data_loss;
pub(crate) mod digest;
#[cfg(feature = "admin")]
pub(crate) mod external_history;
pub(crate) mod foreign_history;
pub(crate) mod history;
pub(crate) mod journal;
pub(crate) mod metadata;
pub(crate) mod moment;
pub(crate) mod pending;
pub(crate) mod protection;
#[cfg(feature = "admin")]
pub(crate) mod resolution;
pub(crate) mod rollback;
pub(crate) mod rows;
pub(crate) mod table_name;
pub(crate) mod target;
pub(crate) mod words;

use std::{borrow::Cow, fmt};

use crate::{
    DataLoss, Direction,
    embedded::{Class, Migration, title},
    event::LockHolder,
    plan::{
        digest::{Digest, Hasher},
        journal::Journal,
        metadata::Tables,
        pending::Step,
        protection::ProtectionState,
        rollback::RollbackStep,
    },
};

/// A dry run: ordered steps with their exact SQL. `Display` prints it.
///
/// The steps hold the SQL that would run, byte for byte. `Display`, `Debug` and JSON show passwords
/// and other secrets in it as `***`, unless [`show_secrets`](Plan::show_secrets) is called first.
///
/// [`apply`](crate::Migrator::apply) runs it, unless the database has changed since.
///
/// ```no_run
/// # async fn example(migrator: upfront::Migrator) -> Result<(), upfront::Error> {
/// use upfront::Target;
///
/// let mut plan = migrator.plan_down(Target::Steps(1)).await?;
/// println!("{plan}");
/// plan.accept_data_loss(true);
/// migrator.apply(&plan).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Plan {
    /// The app whose migrations these are.
    pub app: String,
    /// Whether they are applied or rolled back.
    pub direction: Direction,
    /// The steps, in the order in which they run.
    pub steps: Vec<PlanStep>,
    /// Identifies this plan on this database in its present state; so an approval is valid for one
    /// run. It covers the database's identity, the app, the steps with their SQL and the newest row
    /// of upfront's log.
    pub digest: Digest,
    /// Whether the database is protected: the plan then requires its [approval](Self::approve).
    pub protected: bool,
    /// Warnings about the whole plan.
    pub warnings: Vec<String>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) consent: Consent,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) goal: RollbackScope,
}

/// One migration of a [`Plan`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanStep {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// The file.
    pub path: String,
    /// The SQL as it would be sent, with its secrets; empty if only a row changes.
    pub sql: String,
    /// Whether it runs in one transaction.
    pub transactional: bool,
    /// Whether it is only recorded: a checkpoint, or a migration below one.
    pub covered: bool,
    /// Whether older programs must not run once it is applied.
    pub breaking: bool,
    /// Warnings about this step.
    pub warnings: Vec<String>,
    /// The data that its statements delete.
    pub losses: Vec<DataLoss>,
    pub(crate) secrets: Secrets,
}

/// What runs outside a transaction, or was interrupted there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress<'a> {
    pub(crate) journal: &'a [Journal],
    /// The process that runs it; `None` if it was interrupted.
    pub(crate) holder: Option<&'a LockHolder>,
}

/// How the secrets in the SQL of a step are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    Hidden,
    Shown,
}

/// The consent of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Consent {
    pub(crate) loss: bool,
    pub(crate) approval: Option<Digest>,
    pub(crate) hold: bool,
}

/// The extent of a rollback, in terms that do not change while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RollbackScope {
    /// The version that stays; empty if no version does.
    pub(crate) floor: String,
    /// Version and hash of each rollback, newest first.
    pub(crate) planned: Vec<(String, String)>,
    pub(crate) tables: Tables,
}

impl Default for RollbackScope {
    fn default() -> Self {
        Self { floor: String::new(), planned: Vec::new(), tables: Tables::Old }
    }
}

impl Plan {
    pub(crate) fn up(
        app: &str,
        schema: &str,
        steps: &[Step],
        under_way: Progress<'_>,
        standing: &ProtectionState,
    ) -> Self {
        let of = |it: &Step| {
            let covers = it.covers.iter().map(|(it, _)| planned(it, true, under_way));
            covers.chain(it.runs.map(|it| planned(it, false, under_way))).collect::<Vec<_>>()
        };
        Self::of(app, schema, Direction::Up, steps.iter().flat_map(of).collect(), standing)
    }

    pub(crate) fn down(
        app: &str,
        schema: &str,
        rollback_steps: &[RollbackStep],
        under_way: Progress<'_>,
        standing: &ProtectionState,
    ) -> Self {
        let steps = rollback_steps.iter().map(|it| planned_undo(it, under_way)).collect();
        Self::of(app, schema, Direction::Down, steps, standing)
    }

    fn of(
        app: &str,
        schema: &str,
        direction: Direction,
        steps: Vec<PlanStep>,
        standing: &ProtectionState,
    ) -> Self {
        Self {
            digest: digest(app, schema, direction, &steps, standing),
            app: app.to_owned(),
            direction,
            steps,
            protected: standing.is_protected(),
            warnings: standing.warning().into_iter().collect(),
            consent: Consent::default(),
            goal: RollbackScope::default(),
        }
    }

    /// Warns of a migration that another process runs and that is not part of the plan.
    pub(crate) fn warn_of_others(&mut self, progress: Progress<'_>) {
        let Some(holder) = progress.holder else { return };
        let is_planned = |version: &str| self.steps.iter().any(|it| it.version == version);
        let other = progress.journal.iter().find(|it| !is_planned(&it.version));
        self.warnings.extend(other.map(|it| {
            let title = title(&it.version, &it.name);
            format!("`{title}` is running, by {holder}; this plan waits for it")
        }));
    }

    /// Returns `true` if there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns `true` if data would be lost, or might be.
    #[must_use]
    pub fn loses_data(&self) -> bool {
        self.losses().next().is_some()
    }

    /// Iterates over the data that would be lost, with the migration that deletes it.
    pub fn losses(&self) -> impl Iterator<Item = (&PlanStep, &DataLoss)> {
        let of = |step| PlanStep::lost(step).map(move |it| (step, it));
        self.steps.iter().flat_map(of)
    }

    /// Accepts the data loss of a rollback. Migrations that are applied need no consent: what they
    /// delete is the decision of their author.
    pub fn accept_data_loss(&mut self, on: bool) -> &mut Self {
        self.consent.loss = on;
        self
    }

    /// Approves the plan with this [digest](Self::digest), as a protected database requires.
    ///
    /// [`apply`](crate::Migrator::apply) refuses the digest of another plan. `None` takes the
    /// approval back.
    pub fn approve(&mut self, digest: impl Into<Option<Digest>>) -> &mut Self {
        self.consent.approval = digest.into();
        self
    }

    /// Shows passwords and other secrets in the SQL, as text and as JSON. Off by default.
    pub fn show_secrets(&mut self, on: bool) -> &mut Self {
        for it in &mut self.steps {
            it.secrets = if on { Secrets::Shown } else { Secrets::Hidden };
        }
        self
    }

    /// Holds the migrations that are rolled back, as on a protected database: a program refuses to
    /// apply them again until they are released or their files change. Off by default.
    pub fn hold(&mut self, on: bool) -> &mut Self {
        self.consent.hold = on;
        self
    }
}

impl PlanStep {
    /// As messages name it.
    pub(crate) fn title(&self) -> String {
        title(&self.version, &self.name)
    }

    /// The SQL as it may be shown.
    fn shown(&self) -> Cow<'_, str> {
        match self.secrets {
            Secrets::Shown => Cow::Borrowed(&self.sql),
            Secrets::Hidden => upfront_redact::redact(&self.sql),
        }
    }

    fn lost(&self) -> impl Iterator<Item = &DataLoss> {
        self.losses.iter().filter(|it| !it.empty)
    }
}

fn digest(
    app: &str,
    schema: &str,
    direction: Direction,
    steps: &[PlanStep],
    standing: &ProtectionState,
) -> Digest {
    let here = &standing.here;
    let mut it = Hasher::new("upfront plan v1");
    for part in [&here.system, &here.database, schema, app, direction.word(), &standing.log] {
        it.part(part);
    }
    for step in steps {
        let mode = if step.transactional { "transaction" } else { "statements" };
        for part in [&step.version, &step.name, &step.sql, mode] {
            it.part(part);
        }
    }
    it.finish()
}

fn planned(it: &Migration, covered: bool, under_way: Progress<'_>) -> PlanStep {
    PlanStep {
        version: it.version.to_owned(),
        name: it.name.to_owned(),
        path: it.up.path.to_owned(),
        sql: if covered { String::new() } else { it.up.body().to_owned() },
        transactional: it.up.transactional,
        covered,
        breaking: it.breaking,
        warnings: if covered { Vec::new() } else { warnings(it, under_way) },
        losses: Vec::new(),
        secrets: Secrets::Hidden,
    }
}

fn planned_undo(undo: &RollbackStep, under_way: Progress<'_>) -> PlanStep {
    let RollbackStep { it, side } = undo;
    let side = side.as_ref();
    PlanStep {
        version: it.version.to_owned(),
        name: it.name.to_owned(),
        path: side.map_or(it.up.path, |it| it.path).to_owned(),
        sql: side.map_or("", |it| it.body()).to_owned(),
        transactional: side.is_none_or(|it| it.transactional),
        covered: side.is_none(),
        breaking: false,
        warnings: progress(it, Direction::Down, side.map_or(0, |it| it.count()), under_way)
            .into_iter()
            .collect(),
        losses: Vec::new(),
        secrets: Secrets::Hidden,
    }
}

/// How far a migration came that is running, or was interrupted.
fn progress(
    it: &Migration,
    direction: Direction,
    of: usize,
    Progress { journal, holder }: Progress<'_>,
) -> Option<String> {
    let mine = |row: &&Journal| row.version == it.version && row.direction == direction;
    journal.iter().find(mine)?;
    let done = journal.iter().filter(mine).filter(|row| row.finished).count();
    let what = match (holder, direction) {
        (Some(holder), _) => format!("running, by {holder}"),
        (None, Direction::Up) => "partially applied".to_owned(),
        (None, Direction::Down) => "partially rolled back".to_owned(),
    };
    Some(format!("{what}: {done} of {of} statements are done"))
}

fn warnings(it: &Migration, under_way: Progress<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    warnings.extend(progress(it, Direction::Up, it.up.count(), under_way));
    for at in it.up.statements().iter().filter(|_| !it.up.transactional) {
        if at.class == Class::Unknown {
            let line = at.line;
            warnings.push(format!("line {line}: after a crash its outcome is unknown"));
        }
    }
    if it.breaking {
        warnings.push("older programs refuse to run afterwards".into());
    }
    if it.irreversible.is_none() && it.down.is_none() {
        warnings.push("has no down script".into());
    }
    warnings
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { app, steps, digest, .. } = self;
        let what = match self.direction {
            Direction::Up => "apply",
            Direction::Down => "roll back",
        };
        match steps.len() {
            0 => write!(f, "-- app {app}: nothing to {what}")?,
            many => write!(f, "-- app {app}: {many} to {what}\n-- plan {digest}")?,
        }
        self.warnings.iter().try_for_each(|it| write!(f, "\n-- warning: {it}"))?;
        steps.iter().try_for_each(|it| {
            f.write_str("\n\n")?;
            it.write(f, self.direction)
        })
    }
}

/// What is shown of a step to programs.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename = "PlanStep"))]
#[cfg_attr(not(feature = "serde"), allow(dead_code, reason = "`Debug` and JSON read them"))]
#[expect(clippy::struct_excessive_bools, reason = "they are the fields of the JSON")]
struct Fields<'a> {
    version: &'a str,
    name: &'a str,
    path: &'a str,
    sql: &'a str,
    /// Secrets in the SQL are shown as `***`.
    redacted: bool,
    transactional: bool,
    covered: bool,
    breaking: bool,
    warnings: &'a [String],
    losses: &'a [DataLoss],
}

impl PlanStep {
    fn fields<'a>(&'a self, shown: &'a str) -> Fields<'a> {
        let Self { version, name, path, sql, transactional, covered, breaking, .. } = self;
        Fields {
            version,
            name,
            path,
            sql: shown,
            redacted: shown != sql,
            transactional: *transactional,
            covered: *covered,
            breaking: *breaking,
            warnings: &self.warnings,
            losses: &self.losses,
        }
    }
}

impl fmt::Debug for PlanStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields(&self.shown()).fmt(f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PlanStep {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields(&self.shown()).serialize(serializer)
    }
}

impl PlanStep {
    fn write(&self, f: &mut fmt::Formatter<'_>, direction: Direction) -> fmt::Result {
        let how = match (self.covered, direction, self.transactional) {
            (true, Direction::Up, _) => "recorded, not run",
            (true, Direction::Down, _) => "only its row is removed",
            (false, _, true) => "in one transaction",
            (false, _, false) => "outside a transaction, statement by statement",
        };
        write!(f, "-- {}: {how}\n-- {}", title(&self.version, &self.name), self.path)?;
        self.warnings.iter().try_for_each(|it| write!(f, "\n-- warning: {it}"))?;
        self.losses.iter().try_for_each(|it| match it.empty {
            true => write!(f, "\n-- loses nothing: {it}"),
            false => write!(f, "\n-- loses: {it}"),
        })?;
        if self.covered {
            return Ok(());
        }
        let shown = self.shown();
        if shown != self.sql {
            f.write_str("\n-- secrets are shown as ***")?;
        }
        // Byte for byte but for the line feed at its end, which the caller adds.
        write!(f, "\n{}", shown.strip_suffix('\n').unwrap_or(&shown))
    }
}
