//! The operators that combine the streams of several inputs.

pub(crate) mod cross;
pub(crate) mod group;
pub(crate) mod join;
pub(crate) mod keyed;
pub(crate) mod odometer;
pub(crate) mod packed_inputs;
