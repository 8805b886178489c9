//! What goes into the files of a migration: the way from one schema to the next and back, with
//! what only its author can know.

mod annotation;
mod answer;
mod breaking;
mod change;
mod desired;
mod fill;
mod label;
mod models;
mod moved;
mod narrow;
mod overlay;
mod removal;
mod rename;
mod rows;

pub use annotation::Annotated;
pub use answer::{Answers, Given, Rename};
pub use change::{Change, Question, Sides, WayBack, remarks};
pub use desired::{cut_names, load, load_dump, load_within, with_rows};
pub use models::{Modelled, Origin};
pub use moved::Names;
pub(crate) use removal::ROW_SECURITY;
pub use removal::{Kept, Policy, Removal};
pub use rename::{Candidate, Renaming};
pub use rows::{Counts, Flavor, Insert, Rows, Seeded, Unfit, Unseeded, Violations, misread};
