//! What keepers in one process tell each other, so that they need not wait for the clock.

use drover_shared::id::PipelineName;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Notifier that nobody has taken yet, at most; who is slower looks by the clock.
const WAITING: usize = 64;

/// What happened in this process, or was heard of from others. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notifier(Sender<PipelineEvent>);

/// Something that happened.
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
    /// Tells everybody who is there.
    pub fn tell(&self, item: PipelineEvent) {
        // It is no matter if nobody is.
        let _ = self.0.send(item);
    }

    pub(super) fn listen(&self) -> EventReceiver {
        EventReceiver(self.0.subscribe())
    }
}

/// Hears the news.
#[derive(Debug)]
pub(super) struct EventReceiver(Receiver<PipelineEvent>);

impl EventReceiver {
    /// The next news; none if some were missed. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<PipelineEvent> {
        match self.0.recv().await {
            Ok(item) => Some(item),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
