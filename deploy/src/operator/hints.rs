//! Hints that a job has arrived, from the broker: whoever is in standby wakes at once.

use drover_shared::id::PipelineName;
use drover_shared::queue::{Broker, Consumer, QueueError};
use drover_shared::wire::{Control, Message, decode};
use futures::{Stream, StreamExt, stream};

/// The pipelines that jobs arrive for, from now on. A hint that is lost is found in the store a little later; so the
/// stream just ends with the broker.
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

/// The next hint; an inner none if it is about something else. None: there will be no more.
async fn next(consumer: &mut dyn Consumer) -> Option<Option<PipelineName>> {
    let delivery = match consumer.next().await {
        Ok(delivery) => delivery,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no more hints come"
            );
            return None;
        }
    };
    let hint = match decode(&delivery.body) {
        Ok(Message::Control(Control::Submitted { pipeline, .. })) => Some(pipeline),
        _ => None,
    };
    // A hint is settled as it is delivered.
    let _ = delivery.ack().await;
    Some(hint)
}
