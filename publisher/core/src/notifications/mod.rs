//! Events of jobs and pipelines, sent to the receivers that a spec names: webhooks and commands.
//!
//! A job with receivers has a note in the ledger from before its beginning until all events of its end were delivered or given
//! up, so a restart loses no event. Events are sent at least once, each with the same id. Nothing here holds up a job.

mod claim;
mod cloud_event;
mod command;
mod decide;
mod delivery_service;
mod metrics;
mod pipeline_look;
mod send;
mod settings;
mod signature;
mod tries;
mod webhook;

#[cfg(test)]
mod tests;

pub use delivery_service::{BrokerSource, DeliveryService, ObstacleSource};
pub use metrics::describe;
pub use settings::NotifySettings;
