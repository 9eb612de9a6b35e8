//! Transfers between files and a bucket, whose memory is bounded for the whole process.

mod download;
mod memory;
mod multipart;
mod upload;

pub(super) use memory::TransferMemory;
pub use memory::{TRANSFER_MEMORY, bound_transfer_memory};
