//! A worker inside a command, beside the other workers on the broker.

use std::sync::Arc;

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::process::Tokens;
use drover_shared::queue::rabbitmq::RabbitMq;
use drover_worker::{Cancellations, Settings, scratch_for, work};

use crate::args::Engine;
use crate::commands::CommandError;
use crate::commands::run::run;
use drover_core::coordinator::Assignment;
use drover_core::local::worker;

/// Worker for the pipelines of some jobs.
pub(crate) struct LocalWorker {
    settings: Settings,
    ledger: Ledger,
    broker: RabbitMq,
    pipelines: Vec<PipelineName>,
    tokens: Tokens,
}

impl LocalWorker {
    /// Creates a worker according to the command line and the first pipeline.
    pub(crate) fn new(
        assignments: &[Assignment],
        engine: &Engine,
        ledger: &Ledger,
        broker: &RabbitMq,
        tokens: &Tokens,
    ) -> Self {
        let pipelines = assignments.iter().map(|each| each.pipeline.name.clone());
        let local = run::settings(engine, &assignments[0].pipeline);
        let scratch = scratch_for(ledger.store(), local.scratch);
        Self {
            settings: worker(local.slots, local.look_ahead, local.term_grace, scratch),
            ledger: ledger.clone(),
            broker: broker.clone(),
            pipelines: pipelines.collect(),
            tokens: tokens.child(),
        }
    }

    /// Works until the process stops, and then never returns; an error is the failure of the worker.
    pub(crate) async fn work(self) -> CommandError {
        let stops = Cancellations::new(&self.tokens.hard);
        let worked = work(
            self.settings,
            self.ledger,
            Arc::new(self.broker),
            self.pipelines,
            stops,
            self.tokens,
        );
        match worked.await {
            Ok(()) => std::future::pending().await,
            Err(error) => error.into(),
        }
    }
}
