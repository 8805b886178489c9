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

pub use bodies::Bodies;
pub use difference::{Difference, difference};
pub use effect::{Action, Effect};
pub use error::Error;
pub use exclude::Pattern;
pub use extract::{Owners, Scope, extract};
pub use facts::{Fact, Facts};
pub use generate::{
    Annotated, Answers, Candidate, Change, Counts, Flavor, Given, Insert, Kept, Modelled, Names,
    Origin, Policy, Question, Removal, Rename, Renaming, Rows, Seeded, Sides, Unfit, Unseeded,
    Violations, WayBack, cut_names, load, load_dump, load_within, misread, remarks, with_rows,
};
pub use identity::Identity;
pub use manages::Manages;
pub use observe::Lock;
pub use options::{Forms, Options};
pub use picture::Picture;
pub use plan::{Plan, Statement, plan};
pub use preflight::{has_extension, preflight};
pub use prove::{Proof, compare, diff, prove, prove_up};
pub use roles::{Roles, made_by, make_missing, mark_made};
pub use setup::Setup;
pub use source::{Source, copy};
pub use sql::{Hazard, Probe};
