//! Takes datums from the queue, one journey each: stage, execute, upload, commit, settle.

pub mod runner;
