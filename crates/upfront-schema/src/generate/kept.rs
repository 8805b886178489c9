//! What stays although the desired schema lacks it.

use crate::catalog::identity::Identity;

/// What stays for this time although the desired schema lacks it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptObjects {
    pub(crate) objects: Vec<Identity>,
    /// Objects with the names of attributes.
    pub(crate) attributes: Vec<(Identity, &'static str)>,
}

impl KeptObjects {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.attributes.is_empty()
    }

    /// Adds what is kept besides.
    pub fn extend(&mut self, more: Self) {
        self.objects.extend(more.objects);
        self.attributes.extend(more.attributes);
    }
}
