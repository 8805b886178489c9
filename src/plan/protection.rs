//! Which database it is, and whether it is a protected one.

use std::time::SystemTime;

use crate::plan::{
    digest::{Digest, Hasher},
    moment::Utc,
};

/// The mark of a protected database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Protection {
    /// When it was set.
    #[cfg_attr(feature = "serde", serde(with = "crate::plan::moment::serde_utc"))]
    pub at: SystemTime,
    /// The login that set it.
    pub by: String,
    /// It was set on another database, of which this one is a copy.
    pub copied: bool,
    /// SHA-256, in hex, over the identity of the database and the mark: approves its removal.
    pub digest: Digest,
}

/// Identifies a database, and distinguishes it from its copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Of the whole server, made by `initdb`; standbys share it.
    pub(crate) system: String,
    /// The database's oid on that server.
    pub(crate) database: String,
}

/// The mark of a protected database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The database that was marked.
    pub(crate) of: Identity,
    pub(crate) at: SystemTime,
    pub(crate) by: String,
}

/// What a plan's digest covers beside the plan itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProtectionState {
    pub(crate) here: Identity,
    pub(crate) mark: Option<Mark>,
    /// The newest row of the log, of whatever app: any change since makes a plan stale. Rows of
    /// upfront's own tables do not count, as making them is a part of the first boot.
    pub(crate) log: String,
}

impl ProtectionState {
    pub(crate) fn is_protected(&self) -> bool {
        self.mark.is_some()
    }

    /// The mark, where it came along in a copy of the database that was marked.
    pub(crate) fn copied_mark(&self) -> Option<&Mark> {
        self.mark.as_ref().filter(|it| it.of != self.here)
    }

    /// A warning about a copied mark.
    pub(crate) fn warning(&self) -> Option<String> {
        let Mark { at, by, .. } = self.copied_mark()?;
        Some(format!(
            "the mark `protected` was set at {} UTC by {by} on another database, of which this \
             is a copy: it counts until `upfront protect --renew` makes it this database's, or \
             `upfront protect --remove` takes it away",
            Utc(*at)
        ))
    }
}

/// The mark as programs see it.
pub(crate) fn protection(standing: &ProtectionState) -> Option<Protection> {
    let Mark { of, at, by } = standing.mark.as_ref()?;
    let mut digest = Hasher::new("upfront protection v1");
    let set_at = Utc(*at).to_string();
    let Identity { system, database } = &standing.here;
    for part in [system, database, &of.system, &of.database, &set_at, by] {
        digest.part(part);
    }
    let (at, by, copied) = (*at, by.clone(), standing.copied_mark().is_some());
    Some(Protection { at, by, copied, digest: digest.finish() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(here: &str, marked: Option<&str>) -> ProtectionState {
        let identity =
            |database: &str| Identity { system: "7001".to_owned(), database: database.to_owned() };
        let mark = marked.map(|it| Mark {
            of: identity(it),
            at: SystemTime::UNIX_EPOCH,
            by: "admin".to_owned(),
        });
        ProtectionState { here: identity(here), mark, log: "1".to_owned() }
    }

    #[test]
    fn a_copy_of_a_protected_database_stays_protected_and_warns() {
        assert!(!state("5", None).is_protected());
        assert!(state("5", Some("5")).is_protected() && state("6", Some("5")).is_protected());
        assert!(state("5", Some("5")).warning().is_none());
        let warning = state("6", Some("5")).warning().unwrap();
        assert!(warning.contains("by admin") && warning.contains("--renew"), "{warning}");
    }

    #[test]
    fn a_digest_approves_one_mark_on_one_database() {
        let digest = |here, marked| protection(&state(here, Some(marked))).unwrap().digest;
        assert_eq!(digest("5", "5"), digest("5", "5"));
        let all = [digest("5", "5"), digest("6", "5"), digest("6", "6")];
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
        assert!(protection(&state("5", None)).is_none());
    }
}
