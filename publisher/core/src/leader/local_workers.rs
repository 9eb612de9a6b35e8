//! Workers in this process, for a service that has no broker.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::Pipeline;
use drover_shared::process::Tokens;
use drover_shared::queue::Broker;
use drover_worker::{Cancellations, WorkError, scratch_for, work};

use crate::local::{slots, worker};

/// How workers of this process work. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LocalWorkers {
    /// Datums that run at the same time; by default as the spec says.
    pub slots: Option<NonZeroU16>,
    /// From TERM to KILL, for a command that must end.
    pub term_grace: Duration,
    /// The life of the process: what runs is finished when it is asked to stop.
    pub tokens: Tokens,
}

impl LocalWorkers {
    /// Works on the datums of a pipeline until `tokens`, a [part](Tokens::part) of ours, are cancelled.
    pub(super) async fn work(
        &self,
        pipeline: &Pipeline,
        ledger: Ledger,
        broker: Arc<dyn Broker>,
        tokens: Tokens,
    ) -> Result<(), WorkError> {
        let slots = self.slots.unwrap_or_else(|| slots(pipeline.parallelism));
        let scratch = scratch_for(ledger.store(), None);
        let settings = worker(slots, pipeline.look_ahead, self.term_grace, scratch);
        let pipelines: Vec<PipelineName> = vec![pipeline.name.clone()];
        let stops = Cancellations::new(&tokens.hard);
        let working = work(settings, ledger, broker, pipelines, stops, tokens);
        // Counted, so that the end of the process waits for it.
        self.tokens.tracker.track_future(Box::pin(working)).await
    }
}
