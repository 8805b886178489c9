//! What goes into the files of a migration: the way from one schema to the next and back, with
//! what only its author can know.

mod annotations;
mod breaking;
mod change;
mod column_expression;
mod decisions;
mod desired;
mod enum_values;
mod fills;
mod kept;
mod lookup;
mod lossy_casts;
mod manages;
mod models;
mod object_names;
mod overlay;
mod removals;
mod rename_detection;
mod renames;
mod renaming;
mod test_rows;
mod unmanaged;

pub use annotations::Annotations;
pub use change::{Change, DownResult, Question, UpDown, uncompared_differences};
pub use column_expression::ColumnExpression;
pub use decisions::{Decisions, Rename};
pub use desired::{load, load_dump, load_within, tables_with_rows, truncated_names};
pub use kept::KeptObjects;
pub use manages::Manages;
pub use models::{DesiredSource, ModelSchema};
pub use object_names::ObjectNames;
pub use removals::{ConsentPolicy, Removal};
pub use rename_detection::Candidate;
pub use renaming::Renaming;
pub use test_rows::{
    InsertOutcome, RowFailure, Rows, SampleKind, SampleRows, SequenceStates, UnseededTable,
    Violations, changed_results,
};
pub use unmanaged::Unmanaged;
