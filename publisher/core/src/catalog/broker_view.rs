//! The state of a pipeline's queues on the broker.

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::queue::{Broker, Link, Queue, QueueError};
use drover_shared::store::StoreError;

/// The state of a pipeline's queues on the broker.
#[derive(Clone, Debug)]
pub struct BrokerView {
    /// State of the connection.
    pub link: Link,
    /// Processes that lead the pipeline, or would at once.
    pub coordinators: u32,
    /// Without coordinators: the last leader of the pipeline, if still connected. The leader is about to try again, or the
    /// broker cannot serve the reports queue.
    pub connected_leader: Option<String>,
    /// Workers connected to the datums queue.
    pub workers: u32,
    /// Messages ready for delivery.
    pub ready: u64,
}

/// A failure of the broker or of the store.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The broker.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks the broker for the state of a pipeline's queues.
pub async fn broker_view(
    broker: &dyn Broker,
    ledger: &Ledger,
    pipeline: &PipelineName,
) -> Result<BrokerView, ClusterError> {
    broker.declare(pipeline).await?;
    let datums = broker.depth(&Queue::Datums(pipeline.clone())).await?;
    let reports = broker.depth(&Queue::Reports(pipeline.clone())).await?;
    let connected_leader = match reports.consumers {
        0 => connected_leader(broker, ledger, pipeline).await?,
        _ => None,
    };
    Ok(BrokerView {
        link: broker.link(),
        coordinators: reports.consumers,
        connected_leader,
        workers: datums.consumers,
        ready: datums.ready,
    })
}

async fn connected_leader(
    broker: &dyn Broker,
    ledger: &Ledger,
    pipeline: &PipelineName,
) -> Result<Option<String>, ClusterError> {
    let Some(leader) = ledger.latest_leader(pipeline).await? else {
        return Ok(None);
    };
    let is_connected = broker.is_listening(&leader).await?;
    Ok(is_connected.then_some(leader))
}
