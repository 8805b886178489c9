//! Plans that were tried on copies of both schemas.

pub(crate) mod normalize;
pub(crate) mod prove;
