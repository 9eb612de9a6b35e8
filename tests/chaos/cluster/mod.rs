//! The second scenario: several workers and coordinators around a broker of their own, behind a network that is spoiled.

mod broker;
mod fault;
mod figures;
mod journal;
mod long_job;
mod processes;
mod repetitions;
mod scenario;

pub(crate) use scenario::ChaosScenario;
