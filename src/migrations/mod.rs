//! The migrations of a program, wherever they come from.

#[cfg(feature = "dev")]
pub(crate) mod git;
#[cfg(feature = "rust-embed")]
pub(crate) mod rust_embed;
#[cfg(feature = "dev")]
pub(crate) mod watched;
