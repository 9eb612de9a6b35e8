//! The identity of the worker's store, which a worker reads and never makes.

use std::time::Duration;

use anyhow::Context as _;
use drover_shared::id::PipelineName;
use drover_shared::ledger::{Ledger, StoreIdentity};
use drover_shared::queue::RabbitMq;
use tokio::time::sleep;

use super::connect::{NO_BROKER, NO_STORE};
use crate::consume::PipelineSelection;
use crate::phase::WorkerPhase;

/// Interval between two looks at a store without an identity.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The identity of the store; none if the store has none and the queues of the pipelines belong to no store, as with an
/// older Drover or before the first job. If they belong to a store, the worker sees the wrong one: an empty folder in the
/// place of a mount, as a rule. The worker then takes no message and is not ready until the store has an identity. So does a worker
/// with a pattern: such a store has no pipeline yet.
pub(super) async fn own_store(
    ledger: &Ledger,
    broker: &RabbitMq,
    selection: &PipelineSelection,
    phase: &WorkerPhase,
) -> anyhow::Result<Option<StoreIdentity>> {
    loop {
        let identity = ledger.identity().await.context(NO_STORE)?;
        if identity.is_some() {
            phase.set_problem(None);
            return Ok(identity);
        }
        let names = selection.names();
        let problem = match owned(broker, &names).await? {
            Some(pipeline) => empty(ledger, pipeline),
            None if selection.has_patterns() => format!("{}; waiting for one", unused(ledger)),
            None => {
                tracing::warn!("{}", unused(ledger));
                phase.set_problem(None);
                return Ok(None);
            }
        };
        if phase.set_problem(Some(problem.clone())) {
            tracing::error!("{problem}");
        }
        sleep(LOOK_EVERY).await;
    }
}

/// A pipeline whose queues belong to a store.
async fn owned<'a>(
    broker: &RabbitMq,
    pipelines: &'a [PipelineName],
) -> anyhow::Result<Option<&'a PipelineName>> {
    for pipeline in pipelines {
        let has_owner = broker.has_owner(pipeline).await;
        if has_owner.context(NO_BROKER)? {
            return Ok(Some(pipeline));
        }
    }
    Ok(None)
}

fn unused(ledger: &Ledger) -> String {
    format!(
        "no job was ever published in the store {}; if there should be some, check --store and its mount",
        ledger.store().location()
    )
}

fn empty(ledger: &Ledger, pipeline: &PipelineName) -> String {
    format!(
        "no job was ever published in the store {}, but the queues of the pipeline {pipeline} belong to a store: check --store and its mount; \
         waiting for the store",
        ledger.store().location()
    )
}
