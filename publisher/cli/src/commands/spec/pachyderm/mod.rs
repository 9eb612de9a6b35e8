//! Specs in what `pachctl` prints or extracts.

mod documents;
mod normalize;
mod translate;

pub(crate) use translate::{Imported, import, nothing_found};
