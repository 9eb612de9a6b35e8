//! Records of a pipeline: registration, lock, epochs of coordinators, dead letters, idle queues.

mod dead_letters;
mod epoch;
mod idle_queues;
mod leader_term;
mod lock;
mod numbers;
mod publication;
mod registry;
mod usage;

pub use dead_letters::DeadLetter;
pub use epoch::Epoch;
pub use idle_queues::{IdleQueues, IdleReason};
pub use leader_term::{LeaderTerm, Superseded};
pub use lock::PipelineLock;
pub use publication::PublicationNumber;
pub use registry::{PipelineChange, RegisteredPipeline, RegistryError, TermError};
