//! The second scenario: several workers and coordinators around a broker of their own, behind a network that is spoiled.

mod fault;
mod figures;
mod journal;
mod processes;
mod scenario;

pub(crate) use scenario::ChaosScenario;
