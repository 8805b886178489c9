//! What a desired schema does not manage.

use crate::catalog::identity::Identity;

/// An object of the migrations, or an attribute of one, that the desired schema does not manage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmanaged {
    /// The kind of the object, or the group of the attribute in `manages`.
    pub kind: &'static str,
    /// The object.
    pub id: Identity,
}

impl From<Identity> for Unmanaged {
    fn from(id: Identity) -> Self {
        Self { kind: id.kind.name(), id }
    }
}
