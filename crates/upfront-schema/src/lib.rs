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

mod aliases;
mod apply;
mod bodies;
mod coverage;
mod depend;
mod difference;
mod draft;
mod effect;
mod error;
mod exclude;
mod extract;
mod facts;
mod generate;
mod graph;
mod identity;
mod load;
mod manages;
mod observe;
mod options;
mod owner;
mod picture;
mod plan;
mod preflight;
mod prove;
mod quote;
mod remark;
mod roles;
mod rule;
mod session;
mod settle;
mod setup;
mod source;
mod sql;
mod steps;

pub use bodies::RoutineBodies;
pub use difference::{Difference, difference};
pub use effect::{Effect, EffectKind};
pub use error::Error;
pub use exclude::Pattern;
pub use extract::{Owners, Scope, extract};
pub use facts::{Fact, Facts};
pub use generate::{
    Annotations, Candidate, Change, ColumnExpression, ConsentPolicy, Decisions, DesiredSource,
    DownResult, InsertOutcome, KeptObjects, ModelSchema, ObjectNames, Question, Removal, Rename,
    Renaming, RowFailure, Rows, SampleKind, SampleRows, SequenceStates, UnseededTable, UpDown,
    Violations, changed_results, load, load_dump, load_within, tables_with_rows, truncated_names,
    uncompared_differences,
};
pub use identity::Identity;
pub use manages::Manages;
pub use observe::Lock;
pub use options::{Options, Strategy};
pub use picture::Diagram;
pub use plan::{Plan, Statement, plan};
pub use preflight::{has_extension, preflight};
pub use prove::{Proof, compare, diff, prove, prove_up};
pub use roles::{Roles, create_missing_role, mark_created_roles, roles_created_by};
pub use setup::Setup;
pub use source::{Source, copy};
pub use sql::{Hazard, Probe};
