//! Watches a connection until its end.

use std::time::Duration;

use futures::{Stream, StreamExt};
use lapin::{ConnectionStatus, Event};
use tokio::time::timeout;

/// Some connections end without an event, so the state is polled at this interval.
const LOOK: Duration = Duration::from_secs(1);

/// Waits for the end of a connection; returns the reason. `on_block` gets the reason when the broker blocks the
/// connection, and none when the broker unblocks it.
pub(in crate::queue::rabbitmq) async fn watch_until_lost(
    status: &ConnectionStatus,
    events: impl Stream<Item = Event>,
    mut on_block: impl FnMut(Option<String>),
) -> String {
    let mut events = std::pin::pin!(events);
    let mut why = "it was closed".to_owned();
    while status.connected() {
        match timeout(LOOK, events.next()).await {
            Ok(Some(Event::ConnectionBlocked(reason))) => on_block(Some(reason)),
            Ok(Some(Event::ConnectionUnblocked)) => on_block(None),
            // Of a channel, unless the connection went too.
            Ok(Some(Event::Error(error))) => why = error.to_string(),
            Ok(Some(_)) | Err(_) => {}
            Ok(None) => break,
        }
    }
    why
}
