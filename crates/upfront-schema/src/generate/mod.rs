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

pub use annotation::Annotations;
pub use answer::{ColumnExpression, Decisions, Rename};
pub use change::{Change, DownResult, Question, UpDown, uncompared_differences};
pub use desired::{load, load_dump, load_within, tables_with_rows, truncated_names};
pub use models::{DesiredSource, ModelSchema};
pub use moved::ObjectNames;
pub(crate) use removal::ROW_SECURITY;
pub use removal::{ConsentPolicy, KeptObjects, Removal};
pub use rename::{Candidate, Renaming};
pub use rows::{
    InsertOutcome, RowFailure, Rows, SampleKind, SampleRows, SequenceStates, UnseededTable,
    Violations, changed_results,
};
