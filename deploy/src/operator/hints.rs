//! Hints from the broker that a job was submitted, so a pipeline in standby wakes up at once.

use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, QueueError};
use drover_shared::wire::{Control, Message, decode};
use futures::{Stream, StreamExt, stream};

/// The pipelines for which jobs are submitted from now on. A lost hint only delays the wake-up until the next
/// reconciliation, so the stream simply ends with the broker connection.
pub async fn hints(
    broker: &dyn Broker,
    me: &str,
) -> Result<impl Stream<Item = PipelineName> + Send + use<>, QueueError> {
    let consumer = broker.listen(me).await?;
    let arrivals = stream::unfold(consumer, |mut consumer| async {
        let hint = next(consumer.as_mut()).await?;
        Some((hint, consumer))
    });
    Ok(arrivals.filter_map(std::future::ready))
}

/// The next hint; `Some(None)` for a message about something else, `None` at the end.
async fn next(consumer: &mut dyn Consumer) -> Option<Option<PipelineName>> {
    let delivery = match consumer.next().await {
        Ok(delivery) => delivery,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "hints ended; jobs are noticed at the next reconciliation"
            );
            return None;
        }
    };
    let hint = match decode(&delivery.body) {
        Ok(Message::Control(Control::Submitted { pipeline, .. })) => Some(pipeline),
        _ => None,
    };
    // The control queue needs no acknowledgement; this ack has no effect on the broker.
    let _ = delivery.ack().await;
    Some(hint)
}
