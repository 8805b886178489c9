//! The difference of two PostgreSQL schemas as ordered, proven SQL.
//!
//! Both schemas are built on a real server and read from its catalog as [`Facts`]; nothing parses
//! SQL. The facts are compared kind by kind alike ([`difference`]), what each change needs stands
//! in one table of rules, the order comes from the server's own record of dependencies, and
//! [`prove`] runs the result on a copy, forth and back, before anybody sees it.
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
//! Something that has no rule, be it a kind of object or an attribute, is an error that names it.
//!
//! Calls block, and connect on the way: in an async program they belong on a thread of their own.

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
