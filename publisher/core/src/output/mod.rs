//! Publication: makes the output folder hold exactly the union of a job's outputs.
//!
//! [`gather`] the pieces of all datums, processed and skipped; sort them into files ([`piece`]); [`plan`] by
//! reading what is wanted, on [`record`] and found side by side ([`join`]), [`decide`] path by path; [`apply`].
//! Planning touches nothing. Applying may die anywhere: the record, put before and after, tells what is ours,
//! and publishing again ends in the same folder. Files that are not ours are never touched.

mod apply;
mod clash;
mod decide;
mod error;
mod gather;
mod join;
mod piece;
mod plan;
mod progress;
mod publish;
mod record;
mod sorter;

#[cfg(test)]
mod tests;

pub use error::PublicationError;
pub use progress::FileProgress;
pub use publish::{Published, Request, publish};

use drover_shared::store::{StoreError, StoreKey};

/// The key of an output path, which begins with `/`, below the output folder.
fn key_of(folder: &StoreKey, path: &str) -> Result<StoreKey, StoreError> {
    folder.join(path.trim_start_matches('/'))
}
