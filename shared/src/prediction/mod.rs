//! Needs of datums, predicted from the needs of ended datums.

mod durations;
mod model;

pub use durations::Durations;
pub use model::{Prediction, PredictionBasis, UsageModel};
