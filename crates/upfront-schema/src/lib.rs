//! The difference of two PostgreSQL schemas as ordered, tested SQL.
//!
//! **Internal to upfront.** This crate is a part of the `upfront` command. It is published so that
//! the command can be installed, and its API may change in any release.
//!
//! Both schemas are loaded on a real server and read from its catalog as [`Facts`]; nothing parses
//! SQL. [`difference`] compares the facts, [`plan`] orders the statements by the dependencies that
//! the server has recorded, and [`prove`] runs them on a copy, up and down, before they are
//! returned.
//!
//! ```no_run
//! use upfront_schema::{Options, Source, diff};
//! use upfront_scratch::Server;
//!
//! let server = Server::start()?;
//! let (from, to): (Source, Source) = ("old.sql".parse()?, "new.sql".parse()?);
//! let plan = diff(&server, &from, &to, &Options::default())?;
//! println!("{plan}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An object or an attribute that this crate does not support is an error that names it.
//!
//! Calls block and open connections. In an async program, run them on a thread of their own.
//!
//! # Modules
//!
//! Each folder may use those above it; no module imports itself by way of others.
//!
//! | folder | content |
//! |---|---|
//! | `catalog` | [`Facts`] of a database, and how they are read: [`Scope`], exclusions, owners, setup |
//! | `kinds` | [`ObjectKind`], a row a kind, and the SQL of each |
//! | `diff` | pure: [`Difference`], actions, the graph of steps, [`Plan`] |
//! | `scratch` | what runs on a scratch server: loading SQL, applying plans, roles, preflight checks |
//! | `verify` | expressions in their stable form, and [`prove`] |
//! | `generate` | the files of a migration: [`Change`], renames, annotations, models, test rows |
//! | `diagram` | entity-relationship diagrams |

mod catalog;
mod diagram;
mod diff;
mod error;
mod generate;
mod kinds;
mod options;
mod quote;
mod scratch;
mod sql;
mod verify;

pub use catalog::extract::extract;
pub use catalog::facts::{Fact, Facts};
pub use catalog::identity::Identity;
pub use catalog::pattern::Pattern;
pub use catalog::scope::{Owners, Scope};
pub use catalog::setup::Setup;
pub use diagram::Diagram;
pub use diff::difference::{Difference, difference};
pub use diff::effect::{Effect, EffectKind};
pub use diff::plan::{Plan, Statement, plan};
pub use error::Error;
pub use generate::{
    Annotations, Candidate, Change, ColumnExpression, ConsentPolicy, Decisions, DesiredSource,
    DownResult, InsertOutcome, KeptObjects, Manages, ModelSchema, ObjectNames, Question, Removal,
    Rename, Renaming, RowFailure, Rows, SampleKind, SampleRows, SequenceStates, Unmanaged,
    UnseededTable, UpDown, Violations, changed_results, load, load_dump, load_within,
    tables_with_rows, truncated_names, uncompared_differences,
};
pub use kinds::object_kind::{ObjectKind, UnknownKind};
pub use options::{Options, Strategy};
pub use scratch::observe::Lock;
pub use scratch::preflight::{has_extension, preflight};
pub use scratch::roles::{Roles, create_missing_role, mark_created_roles, roles_created_by};
pub use scratch::routine_bodies::RoutineBodies;
pub use scratch::source::{Source, copy};
pub use sql::{Hazard, Probe};
pub use verify::prove::{Proof, compare, diff, prove, prove_up};
