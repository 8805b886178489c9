//! A directory that was parsed when the program ran, as the data that a build would have left.

use upfront_directory::{Directory, encode};

use crate::embedded::{Set, decode};

/// The directory's data, which from here on live as long as the program.
pub(crate) fn set(it: &Directory) -> &'static Set {
    Box::leak(Box::new(decode::set(encode(it.label(), it.migrations()).leak())))
}
