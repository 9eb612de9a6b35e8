//! Datums whose memory is log-normal: most need little, one in a hundred ten times as much. Drover without any setting but the memory,
//! beside a bound and an oracle that know all peaks, and beside what users set by hand.

mod cost;
mod others;
mod rows;
mod workload;

pub(crate) use rows::show;
pub(crate) use workload::take_over;
