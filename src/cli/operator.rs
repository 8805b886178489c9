//! Who runs a verb.

use crate::Plan;

/// Who runs a verb, which decides what a protected database asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operator {
    /// A released service with the migrations that it embeds: its `up` is the deployment, and
    /// needs no approval.
    Service,
    /// A person with a folder of migrations, whose every change of a protected database needs the
    /// digest of a plan.
    Person {
        /// The environment that the settings call protected, whether or not the database is
        /// marked.
        protected: Option<String>,
    },
}

impl Operator {
    /// Does this plan need an approval?
    pub(super) fn wants_approval(&self, plan: &Plan) -> bool {
        self.wants_approval_where(plan.protected)
    }

    /// Does a plan need an approval, on a database that is marked as protected or not?
    pub(super) fn wants_approval_where(&self, protected: bool) -> bool {
        match self {
            Self::Service => protected,
            Self::Person { protected: environment } => protected || environment.is_some(),
        }
    }

    /// What is worth knowing before anything is done.
    pub(super) fn warning(&self, plan: &Plan) -> Option<String> {
        match self {
            Self::Person { protected: Some(name) } if !plan.protected => Some(format!(
                "environment `{name}` is protected by its settings alone, and the database has no \
                 mark: `upfront protect --env {name}` sets it"
            )),
            _ => None,
        }
    }
}
