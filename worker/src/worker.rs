//! The worker: takes messages as long as it has room, and ends without losing any.

use std::sync::Arc;

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::Broker;

use crate::config::Settings;
use crate::error::WorkError;
use crate::stops::Stops;

/// Works on the datums of `pipelines` until the soft token is cancelled and what is held is finished, or until the
/// hard token is cancelled. `stops` must have been made from the same hard token.
pub async fn work(
    settings: Settings,
    ledger: Ledger,
    broker: Arc<dyn Broker>,
    pipelines: Vec<PipelineName>,
    stops: Stops,
    tokens: Tokens,
) -> Result<(), WorkError> {
    let _ = (
        settings.prefetch(),
        ledger,
        broker,
        pipelines,
        stops,
        tokens,
    );
    todo!()
}
