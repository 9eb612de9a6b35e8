//! Of several operators one is at work: the one that holds the Lease. The others wait until it gives the Lease back or
//! is not heard of for a while.
//!
//! Clocks of machines are not compared: whether the holder is alive is judged by whether the Lease changes while it is
//! watched here. Two may believe in themselves for a moment all the same; as all they do may be done twice, and the
//! fields that they apply are the same, no harm comes of it.

mod candidate;
mod decide;

#[cfg(test)]
mod tests;

pub use candidate::{Candidate, Deposed};
