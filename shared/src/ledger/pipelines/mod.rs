//! Records of a pipeline: registration, lock, epochs of coordinators, dead letters.

mod dead_letters;
mod epoch;
mod lock;
mod registry;

pub use dead_letters::DeadLetter;
pub use epoch::Epoch;
pub use lock::PipelineLock;
pub use registry::{PipelineChange, RegisteredPipeline, RegistryError};
