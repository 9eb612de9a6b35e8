//! An S3 server of a test's own: a real one over a real socket, which a test can make fail.

mod faults;
mod objects;
mod server;

pub use faults::{Fault, FaultKind};
pub use objects::Listing;
pub use server::S3;
