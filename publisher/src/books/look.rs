//! A look at the cluster that a job is on.

use std::time::Duration;

use drover_shared::job::JobRecord;
use drover_shared::queue::{Broker, Queue, QueueError};
use tokio::time::timeout;

use super::submit;
use crate::render::View;

/// How long a broker may take to notice that it takes no messages.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the broker tells of the pipeline of a job.
pub(crate) async fn look(broker: &dyn Broker, record: &JobRecord) -> Result<View, QueueError> {
    let pipeline = &record.pipeline;
    broker.declare(pipeline).await?;
    let datums = broker.depth(&Queue::Datums(pipeline.clone())).await?;
    let reports = broker.depth(&Queue::Reports(pipeline.clone())).await?;
    // A broker that is short of memory says so to those who send it something.
    let _ = timeout(PATIENCE, submit::hint(record, broker)).await;
    Ok(View {
        link: broker.link(),
        coordinators: reports.consumers,
        workers: datums.consumers,
        ready: datums.ready,
    })
}
