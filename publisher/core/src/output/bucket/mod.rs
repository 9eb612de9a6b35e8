//! Listings of a bucket that spare a look at each object.

mod staged_sizes;
mod worth;
mod written;

pub(super) use staged_sizes::StagedSizes;
pub(super) use worth::is_worth_a_listing;
pub(super) use written::record_written;
