//! Why upfront's own tables are not trusted.

/// One reason not to trust upfront's own tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Distrust {
    pub(crate) problem: Problem,
    /// The schema, table, trigger, rule or policy, as SQL names it.
    pub(crate) object: String,
    /// The role that owns it.
    pub(crate) owner: String,
    /// SQL that takes the reason away.
    pub(crate) remedy: String,
}

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A schema or a table belongs to a role that could not act as the current one.
    Owner,
    /// A view, or whatever else is not a table.
    Kind,
    /// A column has a type that is not the server's own.
    Type,
    Rule,
    Trigger,
    Policy,
    /// A trigger of upfront's own is missing or disabled.
    Guard,
}

impl Problem {
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "owner" => Self::Owner,
            "kind" => Self::Kind,
            "type" => Self::Type,
            "rule" => Self::Rule,
            "trigger" => Self::Trigger,
            "policy" => Self::Policy,
            "guard" => Self::Guard,
            _ => return None,
        })
    }
}

/// Why a fence of ours stopped a transaction that was about to record a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meddling {
    /// A rule, a trigger or a policy is attached to the tables.
    Attached,
    /// The rows that were sent were not written.
    NotWritten,
}

impl Meddling {
    /// By the text that the fence gave the server's error.
    pub(crate) fn of(message: &str) -> Option<Self> {
        match message {
            it if it.contains(UNTRUSTED) => Some(Self::Attached),
            it if it.contains(NOT_WRITTEN) => Some(Self::NotWritten),
            _ => None,
        }
    }
}

/// A text that the server's error carries when the tables cannot be written safely.
pub(crate) const UNTRUSTED: &str = "upfront: the tables are not trusted";

/// A text that the server's error carries when other rows were written than were sent.
pub(crate) const NOT_WRITTEN: &str = "upfront: the rows were not written";
