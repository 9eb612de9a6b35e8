//! Work on sorted streams: an external sort, and the detection of paths that clash.

pub(crate) mod clash;
pub(crate) mod sorter;
