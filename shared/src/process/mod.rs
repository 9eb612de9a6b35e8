//! What every Drover process does the same way: start and stop, and talk about itself.

mod ask;
mod host;
mod lifecycle;
mod measures;
mod probe;
pub mod telemetry;

pub use ask::{AskError, ask_measures, ask_ready};
pub use host::{host_name, process_name};
pub use lifecycle::{Ending, Lifecycle, Tokens};
pub use measures::Measures;
pub use probe::Probe;
