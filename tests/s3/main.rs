//! The whole journey on S3: a real server over a real socket, real processes, and what may go wrong between them.

mod faults;
mod field;
mod foreign;
mod history;
mod journey;
mod keys;
mod large;
mod names;
mod places;
mod requests;
mod retention;
mod skip;
mod suite;
