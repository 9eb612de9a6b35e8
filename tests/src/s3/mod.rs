//! S3 servers of a test's own: a real one over a real socket, which a test can make fail, and a foreign one.

mod faults;
mod moto;
mod objects;
mod server;

pub use faults::{Fault, FaultKind};
pub use moto::Moto;
pub use objects::Listing;
pub use server::S3;
