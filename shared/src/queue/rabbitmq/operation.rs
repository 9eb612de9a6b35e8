//! Short business on a throw-away channel: declaring, counting, purging.

use lapin::Channel;
use tracing::debug;

use super::connection::Connection;
use super::error::BrokerFailure;
use super::liveness::while_connected;
use super::retry::RetryDelays;
use crate::queue::{Queue, QueueError};

/// Runs `work` on a new channel, and again after each lost connection; so `work` must be safe to repeat. `queue` is
/// the queue named in a "missing" error.
///
/// Operations use the consuming connection, because the publishing connection is blocked during an alarm.
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
            BrokerFailure::Transient(why) => debug!("repeating an operation at the broker: {why}"),
            BrokerFailure::QueueMissing => {
                let queue = queue.clone();
                return Err(QueueError::Missing { queue });
            }
            BrokerFailure::Refused(message) => return Err(QueueError::Refused { message }),
        }
        delays.wait().await;
    }
}
