//! The worker inside `run --broker`, among all other workers of the broker.

use std::sync::Arc;

use drover_shared::ledger::Ledger;
use drover_shared::pipeline::Pipeline;
use drover_shared::queue::rabbitmq::RabbitMq;
use drover_worker::{Cancellations, WorkError};

use drover_core::leader::LocalWorkers;

/// Works on the pipelines until the process must end, and then waits for ever; returns the reason why the worker cannot
/// go on.
pub(crate) async fn work(
    workers: LocalWorkers,
    pipelines: Vec<Pipeline>,
    ledger: Ledger,
    broker: RabbitMq,
) -> WorkError {
    let tokens = workers.tokens.child();
    let cancellations = Cancellations::new(&tokens.hard);
    let pipelines: Vec<&Pipeline> = pipelines.iter().collect();
    let worked = workers
        .work(&pipelines, ledger, Arc::new(broker), cancellations, tokens)
        .await;
    match worked {
        Ok(()) => std::future::pending().await,
        Err(error) => error,
    }
}
