//! Asks the workers of a pipeline for the datums of a job in their hands.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::datum::IndexRanges;
use drover_shared::id::{JobId, PipelineName, WorkerId};
use drover_shared::job::JobKey;
use drover_shared::queue::{Broker, Depth, Queue, QueueError};
use drover_shared::wire::{Control, Message, encode_for};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::missing::Holdings;

/// The shortest wait for answers: a draining worker answers, too, but is no consumer any more.
const LEAST_WAIT: Duration = Duration::from_millis(300);
/// The longest wait for answers.
const MOST_WAIT: Duration = Duration::from_secs(2);
/// Time limit of the broadcast, which a broker under an alarm does not take.
const BROADCAST_LIMIT: Duration = Duration::from_secs(5);

/// An answer of a worker: the datums in its hands.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) worker: WorkerId,
    pub(crate) datums: IndexRanges,
}

/// A question to all workers of a pipeline.
pub(crate) struct Inquiry {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) pipeline: PipelineName,
    pub(crate) job: JobId,
    /// Authenticates the question.
    pub(crate) key: JobKey,
    pub(crate) term: Option<u64>,
    /// Unique; the answers repeat it.
    pub(crate) name: String,
    /// Datums reported as running, with the worker. A living worker without an answer counts as the holder.
    pub(crate) running: Vec<(WorkerId, u64)>,
}

impl Inquiry {
    /// Asks, and waits for the answers, which the caller takes from the reports.
    pub(crate) async fn run(
        self,
        mut answers: mpsc::UnboundedReceiver<Answer>,
    ) -> Result<Holdings, QueueError> {
        let before = depth(&*self.broker, &self.pipeline).await?;
        let begun = Instant::now();
        self.broadcast().await?;
        let mut answered = BTreeSet::new();
        let mut held = IndexRanges::default();
        let is_complete = |answered: &BTreeSet<WorkerId>| answered.len() >= number(before);
        loop {
            let wait = if is_complete(&answered) {
                LEAST_WAIT
            } else {
                MOST_WAIT
            };
            let Ok(Some(answer)) = timeout_at(begun + wait, answers.recv()).await else {
                break;
            };
            held.extend(&answer.datums);
            answered.insert(answer.worker);
        }
        for (worker, index) in &self.running {
            if !answered.contains(worker) && self.broker.is_listening(worker.as_str()).await? {
                held.insert(*index..index.saturating_add(1));
            }
        }
        let after = depth(&*self.broker, &self.pipeline).await?;
        Ok(Holdings {
            ready: before.ready.max(after.ready),
            is_complete: is_complete(&answered) && answered.len() >= number(after),
            held,
        })
    }

    async fn broadcast(&self) -> Result<(), QueueError> {
        let question = Message::Control(Control::ReportHeld {
            pipeline: self.pipeline.clone(),
            job: self.job,
            inquiry: self.name.clone(),
            term: self.term,
        });
        let question = encode_for(&question, Some(&self.key));
        let question = question.map_err(|error| QueueError::Unavailable {
            message: error.to_string(),
        })?;
        let sent = timeout(BROADCAST_LIMIT, self.broker.broadcast(question)).await;
        sent.unwrap_or_else(|_| {
            Err(QueueError::Unavailable {
                message: "it does not take a broadcast".to_owned(),
            })
        })
    }
}

fn number(depth: Depth) -> usize {
    usize::try_from(depth.consumers).unwrap_or(usize::MAX)
}

/// The depth of the datums queue. A missing queue is declared again, and is empty.
pub(crate) async fn depth(
    broker: &dyn Broker,
    pipeline: &PipelineName,
) -> Result<Depth, QueueError> {
    match broker.depth(&Queue::Datums(pipeline.clone())).await {
        Err(QueueError::Missing { queue }) => {
            tracing::warn!("the broker has lost {queue}; declaring it again");
            broker.declare(pipeline).await?;
            Ok(Depth::default())
        }
        depth => depth,
    }
}
