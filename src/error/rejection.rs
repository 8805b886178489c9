//! What is refused before anything runs, and its words.

use std::fmt;
#[cfg(feature = "admin")]
use std::time::SystemTime;

#[cfg(feature = "admin")]
use crate::plan::resolution::ResolveError;
use crate::{
    DataLoss, Digest, Direction,
    embedded::{Migration, Set, title},
    plan::{
        command::{CommandOptions, shell_word},
        moment::Utc,
        rollback::{Mistake, Obstacle},
        rows::Hold,
        words::{done, list},
    },
};

/// What is refused, with nothing changed.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// A migration was cut off on its way up, and something is to be rolled back.
    HalfApplied {
        migration: String,
        /// The command that records that it was undone by hand.
        undone: String,
        /// The command that records that the rest was done by hand.
        done: String,
    },
    Target(Mistake),
    /// A version up to which migrations are to be applied.
    NotInProgram {
        version: String,
        /// The program's migrations around it.
        near: Vec<String>,
    },
    /// Why each of them cannot be rolled back.
    Irreversible {
        found: Vec<(String, Obstacle)>,
        options: CommandOptions,
    },
    /// The text of a stored down side is not the one whose hash stands beside it.
    DownAltered {
        migration: String,
    },
    /// What a rollback would lose, by migration.
    DataLoss {
        losses: Vec<(String, DataLoss)>,
        /// What was rolled back before rows turned up, where it was not one transaction.
        done: Vec<String>,
    },
    Protected {
        /// Nothing if what was done by hand is to be recorded.
        direction: Option<Direction>,
        /// The plan's; `None` without a plan.
        digest: Option<Digest>,
        /// A warning about the mark.
        warning: Option<String>,
    },
    Stale(Stale),
    Held {
        found: Vec<Hold>,
    },
    /// A schema that was migrated is gone, or was made again since.
    SchemaReplaced {
        schemas: Vec<String>,
        /// The command that starts the history again.
        start_again: String,
        /// The command that keeps it.
        keep: String,
    },
    /// The same migrations were applied under another app, or from another schema of upfront's.
    DuplicateHistory {
        app: String,
        found: Duplicate,
    },
    /// What a person says of a migration cannot be recorded.
    #[cfg(feature = "admin")]
    Resolve(ResolveError),
    /// A version that is to be released is not held.
    #[cfg(feature = "admin")]
    NotHeld {
        version: String,
        held: Vec<Hold>,
    },
    /// The mark that is to be set came along in a copy.
    #[cfg(feature = "admin")]
    Copied {
        at: SystemTime,
        by: String,
    },
}

/// Why a plan does not fit the database any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stale {
    /// The approval is another plan's.
    Approval { approved: Digest, digest: Digest },
    /// The plan that is to run is not the one that was made.
    Moved { made: Digest, now: Option<Digest> },
    /// What is newest now is not a part of the rollback.
    Newer { head: String },
}

/// What is refused, why, and what to do instead.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HalfApplied { migration, undone, done } => write!(
                f,
                "migration `{migration}` is partially applied, and so nothing was rolled back\n  \
                 help: let `up` finish it first; or record what was done by hand\n    if what it did is \
                 undone: {undone}\n    if the rest is done:     {done}"
            ),
            Self::Target(it) => target(f, it),
            Self::NotInProgram { version, near } => {
                write!(f, "version `{version}` is not in this program; nothing was applied")?;
                list(f, "near it", near)?;
                f.write_str("\n  help: name one of the program's versions")
            }
            Self::Irreversible { found, options } => irreversible(f, found, options),
            Self::DownAltered { migration } => write!(
                f,
                "the stored down script of migration `{migration}` was changed in the revision \
                 table; nothing was rolled back\n  help: bring the row back from a backup, or roll \
                 back with a program that carries the migration"
            ),
            Self::DataLoss { losses, done } => data_loss(f, losses, done),
            Self::Protected { direction, digest, warning } => {
                protected(f, *direction, digest.as_ref(), warning.as_deref())
            }
            Self::Stale(it) => stale(f, it),
            Self::Held { found } => held_back(f, found),
            Self::SchemaReplaced { schemas, start_again, keep } => {
                schema_replaced(f, schemas, start_again, keep)
            }
            Self::DuplicateHistory { app, found } => duplicate_history(f, app, found),
            #[cfg(feature = "admin")]
            Self::Resolve(it) => it.fmt(f),
            #[cfg(feature = "admin")]
            Self::NotHeld { version, held } => not_held(f, version, held),
            #[cfg(feature = "admin")]
            Self::Copied { at, by } => write!(
                f,
                "the database is marked as protected already, by {by} at {} UTC, when it was \
                 another one: it is a copy\n  help: `upfront protect --renew` makes the mark this \
                 database's, `upfront protect --remove` takes it away",
                Utc(*at)
            ),
        }
    }
}

impl Rejection {
    pub(crate) fn not_in_program(set: &Set, version: &str) -> Self {
        const NEAR: usize = 2;
        let at = set.migrations.partition_point(|it| it.version < version);
        let near = &set.migrations[at.saturating_sub(NEAR)..(at + NEAR).min(set.migrations.len())];
        let near = near.iter().map(Migration::title).collect();
        Self::NotInProgram { version: version.to_owned(), near }
    }
}

fn target(f: &mut fmt::Formatter<'_>, it: &Mistake) -> fmt::Result {
    match it {
        Mistake::Beyond { steps, applied: 0 } => write!(
            f,
            "{} cannot be rolled back: nothing is applied\n  help: `status` shows what is",
            many(*steps)
        ),
        Mistake::Beyond { steps, applied } => write!(
            f,
            "{} cannot be rolled back: only {applied} {} applied\n  help: ask for {applied} at \
             most",
            many(*steps),
            if *applied == 1 { "is" } else { "are" }
        ),
        Mistake::NotApplied { version, head } => {
            write!(f, "version `{version}` is not applied, so it cannot be a rollback target")?;
            match head {
                Some(it) => write!(f, "\n  newest applied: {it}")?,
                None => f.write_str("\n  nothing is applied")?,
            }
            f.write_str("\n  help: name the version that is to stay; `up` applies what is pending")
        }
        Mistake::UnknownVersion { version, known } => {
            write!(f, "version `{version}` is known neither to this program nor to the database")?;
            list(f, "applied", known)?;
            f.write_str("\n  help: name the version that is to stay, one of the applied ones")
        }
        Mistake::NoHead => f.write_str(
            "this program carries no migration, so it has no rollback target\n  help: name \
             the version that stays, or roll back everything",
        ),
    }
}

fn many(steps: usize) -> String {
    if steps == 1 { "1 migration".to_owned() } else { format!("{steps} migrations") }
}

fn irreversible(
    f: &mut fmt::Formatter<'_>,
    found: &[(String, Obstacle)],
    options: &CommandOptions,
) -> fmt::Result {
    f.write_str("cannot roll back; nothing was changed")?;
    for (title, why) in found {
        match why {
            Obstacle::Irreversible { reason } => {
                write!(f, "\n  migration `{title}` is irreversible: {reason}")?;
            }
            Obstacle::NoDownSide => write!(f, "\n  migration `{title}` has no down script")?,
            Obstacle::NoStatement => write!(
                f,
                "\n  migration `{title}` has a down script without a statement, which undoes nothing"
            )?,
        }
    }
    let is_missing = |why: &Obstacle| matches!(why, Obstacle::NoDownSide | Obstacle::NoStatement);
    match found.iter().find(|(_, why)| is_missing(why)) {
        Some((title, _)) => write!(
            f,
            "\n  help: write `down/{title}.sql` and build with it: a down script may be added at any \
             time; or write a new migration that repairs what these did"
        )?,
        None => f.write_str("\n  help: write a new migration that repairs what these did")?,
    }
    let Some((newest, _)) = found.first() else { return Ok(()) };
    let resolve = options.command(&format!("resolve {} --rolled-back", shell_word(newest)));
    write!(f, "\n  or undo by hand what they did, newest first, and record that: {resolve}")
}

fn data_loss(
    f: &mut fmt::Formatter<'_>,
    losses: &[(String, DataLoss)],
    done: &[String],
) -> fmt::Result {
    const SHOWN: usize = 20;
    match done {
        [] => f.write_str("rolling back would lose data; nothing was rolled back")?,
        _ => f.write_str("rolling back any further would lose data")?,
    }
    list(f, "rolled back", done)?;
    for (title, loss) in losses.iter().take(SHOWN) {
        write!(f, "\n  {title}: {loss}")?;
    }
    if losses.len() > SHOWN {
        write!(f, "\n  and {} more", losses.len() - SHOWN)?;
    }
    f.write_str(
        "\n  help: make a backup of it; then make a plan with `plan_down`, agree with \
         `accept_data_loss`, and `apply` it",
    )
}

fn protected(
    f: &mut fmt::Formatter<'_>,
    direction: Option<Direction>,
    digest: Option<&Digest>,
    warning: Option<&str>,
) -> fmt::Result {
    write!(
        f,
        "the database is protected, and the plan is not approved; nothing was {}",
        direction.map_or("recorded", done)
    )?;
    if let Some(it) = warning {
        write!(f, "\n  warning: {it}")?;
    }
    if let Some(digest) = digest {
        write!(f, "\n  plan: {digest}")?;
    }
    let make = match direction {
        Some(Direction::Up) => "plan_up",
        Some(Direction::Down) => "plan_down",
        None => "plan_resolve",
    };
    let run = if direction.is_some() { "apply" } else { "resolve" };
    write!(
        f,
        "\n  help: make the plan with `{make}`, have it read, `approve` its digest, and `{run}` it"
    )
}

fn stale(f: &mut fmt::Formatter<'_>, it: &Stale) -> fmt::Result {
    match it {
        Stale::Approval { approved, digest } => write!(
            f,
            "the approval is another plan's: the database or the files have changed since it was \
             given; nothing was changed\n  approved: {approved}\n  plan now: {digest}"
        )?,
        Stale::Moved { made, now } => {
            f.write_str("the database has moved since the plan was made; nothing was changed")?;
            write!(f, "\n  plan:     {made}")?;
            match now {
                None => f.write_str("\n  plan now: nothing is left to do")?,
                Some(now) => write!(f, "\n  plan now: {now}")?,
            }
        }
        Stale::Newer { head } => write!(
            f,
            "somebody else has migrated since the rollback was planned\n  newest applied: {head}"
        )?,
    }
    f.write_str("\n  help: make a new plan, and read it again")
}

fn schema_replaced(
    f: &mut fmt::Formatter<'_>,
    schemas: &[String],
    start_again: &str,
    keep: &str,
) -> fmt::Result {
    f.write_str("a schema was dropped after migrations were applied to it; nothing was changed")?;
    schemas
        .iter()
        .try_for_each(|it| write!(f, "\n  schema: {it} (dropped, or dropped and created again)"))?;
    write!(
        f,
        "\n  help: run one of\n    to apply all migrations again:          {start_again}\n    if the \
         schema was restored by other means: {keep}"
    )
}

fn duplicate_history(f: &mut fmt::Formatter<'_>, app: &str, found: &Duplicate) -> fmt::Result {
    match found {
        Duplicate::App(other) => write!(
            f,
            "app `{app}` has no history here, but app `{other}` has the same migrations; nothing was \
             applied\n  help: if `{app}` is a mistake, set the app to `{other}` (`--app {other}`)"
        )?,
        Duplicate::Schema(other) => write!(
            f,
            "app `{app}` has no history in this schema of upfront's tables, but schema `{other}` has the \
             same migrations of it; nothing was applied\n  help: if the schema is a mistake, set it to \
             `{other}` (`--schema {other}`)"
        )?,
    }
    f.write_str("; if they are to be applied once more, set `ignore_duplicate_history`")
}

fn held_back(f: &mut fmt::Formatter<'_>, found: &[Hold]) -> fmt::Result {
    f.write_str(
        "pending migrations were rolled back on purpose and are held; nothing was applied",
    )?;
    for Hold { version, name, at, by, .. } in found {
        let (title, at) = (title(version, name), Utc(*at));
        write!(f, "\n  migration `{title}`: rolled back at {at} UTC by {by}")?;
    }
    let versions: Vec<_> = found.iter().map(|it| it.version.as_str()).collect();
    write!(
        f,
        "\n  help: deploy a program without them, or with changed files; to let them come back, run \
         `upfront release {}`",
        versions.join(" ")
    )
}

#[cfg(feature = "admin")]
fn not_held(f: &mut fmt::Formatter<'_>, version: &str, held: &[Hold]) -> fmt::Result {
    write!(f, "version `{version}` is not held; nothing was released")?;
    let titles: Vec<_> = held.iter().map(|it| title(&it.version, &it.name)).collect();
    list(f, "held", &titles)?;
    f.write_str(match held {
        [] => "\n  help: nothing is held: `up` applies whatever is pending",
        _ => "\n  help: name one of those that are held",
    })
}

/// Where the program's migrations were applied before, if not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Duplicate {
    /// Under another app.
    App(String),
    /// In another schema of upfront's, under this app.
    Schema(String),
}
