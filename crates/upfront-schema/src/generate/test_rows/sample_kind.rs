//! Which rows are made up.

/// Which rows are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    /// Columns that may be NULL are so in every second one.
    Mixed,
    /// None is NULL, where a value can be thought of.
    Full,
    /// The same, and no two columns of a row are alike where they can differ.
    Apart,
    /// The same, and texts are UUIDs where they can be.
    Uuids,
    /// The same, and texts are numbers where they can be.
    Numbers,
}
