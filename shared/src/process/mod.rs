//! What every Drover process does the same way: start and stop, and talk about itself.

mod lifecycle;
pub mod telemetry;

pub use lifecycle::{Ending, Lifecycle, Tokens};
