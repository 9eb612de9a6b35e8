//! Events between the leaders and watchers of one process, which save waiting for the clock.

use drover_shared::id::PipelineName;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Pending events of a listener, at most; a slower listener falls back to the clock.
const WAITING: usize = 64;

/// Sends events to all listeners of the current process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notifier(Sender<PipelineEvent>);

/// An event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PipelineEvent {
    /// A job of the pipeline was submitted.
    Submitted(PipelineName),
    /// The output of the pipeline was published.
    Published(PipelineName),
}

impl Default for Notifier {
    fn default() -> Self {
        Self(channel(WAITING).0)
    }
}

impl Notifier {
    /// Sends an event to all listeners.
    pub fn tell(&self, item: PipelineEvent) {
        // No listener is no error.
        let _ = self.0.send(item);
    }

    pub(super) fn listen(&self) -> EventReceiver {
        EventReceiver(self.0.subscribe())
    }
}

/// Receives events.
#[derive(Debug)]
pub(super) struct EventReceiver(Receiver<PipelineEvent>);

impl EventReceiver {
    /// The next event; none if events were missed. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<PipelineEvent> {
        match self.0.recv().await {
            Ok(item) => Some(item),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
