//! How new upfront's own tables are.

/// Whether upfront's own tables are as this program makes them, or are from an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    Old,
    Current,
}
