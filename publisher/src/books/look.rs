//! A look at the cluster that works on a pipeline.

use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Queue, QueueError};

use crate::render::View;

/// What the broker tells of a pipeline.
pub(crate) async fn look(broker: &dyn Broker, pipeline: &PipelineName) -> Result<View, QueueError> {
    broker.declare(pipeline).await?;
    let datums = broker.depth(&Queue::Datums(pipeline.clone())).await?;
    let reports = broker.depth(&Queue::Reports(pipeline.clone())).await?;
    Ok(View {
        link: broker.link(),
        coordinators: reports.consumers,
        workers: datums.consumers,
        ready: datums.ready,
    })
}
