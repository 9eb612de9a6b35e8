//! The state of a pipeline's queues on the broker.

use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Link, Queue, QueueError};

/// The state of a pipeline's queues on the broker.
#[derive(Clone, Debug)]
pub struct BrokerView {
    /// State of the connection.
    pub link: Link,
    /// Processes that lead the pipeline, or would at once.
    pub coordinators: u32,
    /// Workers connected to its queue.
    pub workers: u32,
    /// Messages ready for delivery.
    pub ready: u64,
}

/// Asks the broker for the state of a pipeline's queues.
pub async fn broker_view(
    broker: &dyn Broker,
    pipeline: &PipelineName,
) -> Result<BrokerView, QueueError> {
    broker.declare(pipeline).await?;
    let datums = broker.depth(&Queue::Datums(pipeline.clone())).await?;
    let reports = broker.depth(&Queue::Reports(pipeline.clone())).await?;
    Ok(BrokerView {
        link: broker.link(),
        coordinators: reports.consumers,
        workers: datums.consumers,
        ready: datums.ready,
    })
}
