//! The real leader under thousands of schedules: several leaders at one job, during expansion and publication.
//!
//! Every call of the store and of the queues is a scheduling point, on a paused clock. [`random`] schedules wait times decided by
//! a seed, and their processes freeze now and then; [`preemptions`] freezes one process once, at each of its points.

mod preemptions;
mod random;
mod world;
