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
    run(connection, work)
        .await
        .map_err(|failure| match failure {
            OperationFailure::QueueMissing => QueueError::Missing {
                queue: queue.clone(),
            },
            OperationFailure::Other(error) => error,
        })
}

/// As [`run_operation`], for work that concerns no queue of a pipeline.
pub(super) async fn run_on_channel<T, Work>(
    connection: &Connection,
    work: impl Fn(Channel) -> Work,
) -> Result<T, QueueError>
where
    Work: Future<Output = lapin::Result<T>>,
{
    run(connection, work)
        .await
        .map_err(|failure| match failure {
            OperationFailure::QueueMissing => QueueError::Refused {
                message: "the queue does not exist".to_owned(),
            },
            OperationFailure::Other(error) => error,
        })
}

/// A failure that a retry does not help.
enum OperationFailure {
    QueueMissing,
    Other(QueueError),
}

async fn run<T, Work>(
    connection: &Connection,
    work: impl Fn(Channel) -> Work,
) -> Result<T, OperationFailure>
where
    Work: Future<Output = lapin::Result<T>>,
{
    let mut delays = RetryDelays::new();
    loop {
        let live = connection
            .connected()
            .await
            .map_err(OperationFailure::Other)?;
        let done = async { work(live.create_channel().await?).await };
        let failure = match while_connected(|| live.status().connected(), done).await {
            Some(Ok(result)) => return Ok(result),
            Some(Err(error)) => BrokerFailure::from(&error),
            None => BrokerFailure::connection_lost(),
        };
        match failure {
            BrokerFailure::Transient(why) => debug!("repeating an operation at the broker: {why}"),
            BrokerFailure::QueueMissing => return Err(OperationFailure::QueueMissing),
            BrokerFailure::Refused(message) => {
                return Err(OperationFailure::Other(QueueError::Refused { message }));
            }
        }
        delays.wait().await;
    }
}
