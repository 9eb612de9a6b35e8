//! Follows the roster: notes the capacity and the pipelines of the worker, and reads the weights of the pipelines.

use std::convert::Infallible;
use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::ledger::WorkerCapacity;
use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::selection::PipelineSelection;
use crate::context::WorkerContext;

/// Between two notes about the roster, which may change many times in a row.
const SHORTEST_GAP: Duration = Duration::from_millis(500);

/// How often changed weights are looked for, in a folder and in a bucket; a broadcast tells of a change at once.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LOOK_IN_BUCKET_EVERY: Duration = Duration::from_mins(1);

/// Follows the roster for ever.
pub(super) async fn follow_roster(
    selection: &PipelineSelection,
    context: &WorkerContext,
) -> Infallible {
    let look_every = match context.ledger.store().local_root() {
        Some(_) => LOOK_EVERY,
        None => LOOK_IN_BUCKET_EVERY,
    };
    loop {
        for pipeline in context.roster.names() {
            read_weight(&pipeline, context).await;
        }
        let has_changed = timeout(look_every, context.roster.changed()).await.is_ok();
        if has_changed {
            sleep(SHORTEST_GAP).await;
            tell_capacity(selection, context).await;
        }
    }
}

/// Reads the weight of a pipeline; datums that wait for a slot follow at once.
pub(super) async fn read_weight(pipeline: &PipelineName, context: &WorkerContext) {
    match context.weights.read(pipeline, &context.ledger).await {
        Ok(Some(weight)) => context.slots.reweigh(pipeline, weight),
        // The next datum that waits brings the weight of the spec.
        Ok(None) => {}
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, pipeline.name = %pipeline, "priority and share of {pipeline} cannot be read; they stay as they are");
        }
    }
}

/// Notes the capacity of the worker, so workers can leave large datums to a larger worker.
pub(super) async fn tell_capacity(selection: &PipelineSelection, context: &WorkerContext) {
    let settings = &context.settings;
    if !settings.is_among_others {
        return;
    }
    let capacity = WorkerCapacity {
        worker: settings.worker.clone(),
        pipelines: context.roster.names().into_iter().collect(),
        memory_bytes: context.slots.all().memory,
        noted: Some(Timestamp::now()),
        ran_out_of_memory: false,
        slots: settings.slots.get(),
        takes: selection.to_string(),
    };
    if let Err(error) = context.ledger.note_capacity(&capacity).await {
        tracing::warn!("the memory of the worker cannot be told to others: {error}");
    }
}

/// Removes the note of the worker.
pub(super) async fn forget_capacity(context: &WorkerContext) {
    if context.settings.is_among_others
        && let Err(error) = context
            .ledger
            .forget_capacity(&context.settings.worker)
            .await
    {
        tracing::debug!("the note of the worker's memory cannot be removed: {error}");
    }
}
