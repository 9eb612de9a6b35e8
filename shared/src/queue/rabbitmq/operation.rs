//! Short business on a throw-away channel: declaring, counting, purging.

use lapin::Channel;
use tracing::debug;

use super::connection::Connection;
use super::error::BrokerFailure;
use super::liveness::while_connected;
use super::retry::RetryDelays;
use crate::queue::{Queue, QueueError};

/// Does `work` on a channel of its own, again and again while the connection is lost over it; so `work` must be
/// harmless to repeat. `queue` is the one that may be missing.
///
/// It is done on the consuming connection: the publishing one stands still during an alarm.
pub(super) async fn run_operation<T, Work>(
    connection: &Connection,
    queue: &Queue,
    work: impl Fn(Channel) -> Work,
) -> Result<T, QueueError>
where
    Work: Future<Output = lapin::Result<T>>,
{
    let mut delays = RetryDelays::new();
    loop {
        let live = connection.connected().await?;
        let done = async { work(live.create_channel().await?).await };
        let failure = match while_connected(|| live.status().connected(), done).await {
            Some(Ok(result)) => return Ok(result),
            Some(Err(error)) => BrokerFailure::from(&error),
            None => BrokerFailure::connection_lost(),
        };
        match failure {
            BrokerFailure::Transient(why) => debug!("asking the broker again: {why}"),
            BrokerFailure::QueueMissing => {
                let queue = queue.clone();
                return Err(QueueError::Missing { queue });
            }
            BrokerFailure::Refused(message) => return Err(QueueError::Refused { message }),
        }
        delays.wait().await;
    }
}
