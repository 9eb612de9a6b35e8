//! Between a publication and its caller: progress, and leave to change a bucket.

mod latest_look;
mod progress;

pub use latest_look::{LatestLook, RECENT};
pub use progress::FileProgress;
