//! Needs of datums, predicted from the needs of ended datums.

mod model;

pub use model::{Prediction, PredictionBasis, UsageModel};
