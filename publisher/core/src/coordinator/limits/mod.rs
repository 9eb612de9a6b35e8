//! Limits of the datums that may be under way: [`gate`] and [`window`] decide how many more may be published, [`shared`] keeps the
//! allotments of limits that several pipelines share.

pub(super) mod gate;
pub(super) mod shared;
mod window;
