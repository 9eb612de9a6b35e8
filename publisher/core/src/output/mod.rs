//! Publication: makes the output folder hold exactly the union of a job's outputs.
//!
//! [`gather`] the pieces of all datums, processed and skipped; sort them into files ([`piece`]); [`plan`] by reading
//! desired, recorded and found files side by side ([`join`]) and [`decide`] path by path; [`apply`] the plan. Planning
//! changes nothing. Applying may be interrupted anywhere: the record ([`durable`]), written before and after, names the files of
//! Drover, and the [`undo`] log, which stands until the job has ended, takes back what a job without success changed.
//! Foreign files are never touched.

mod apply;
mod bucket;
mod caller;
mod decide;
mod durable;
mod error;
mod gather;
mod join;
mod piece;
mod plan;
mod sorted;
mod undo;
mod verify;
mod write_output;

#[cfg(test)]
mod tests;

pub use caller::{FileProgress, LatestLook, RECENT};
pub use error::OutputError;
pub(crate) use undo::{has_undo_log, keep_changes, settle};
pub use write_output::{OutputRequest, OutputSummary, write_output};

use drover_shared::store::{StoreError, StoreKey};

/// The key of an output path, which begins with `/`, below the output folder.
fn key_of(folder: &StoreKey, path: &str) -> Result<StoreKey, StoreError> {
    folder.join(path.trim_start_matches('/'))
}
