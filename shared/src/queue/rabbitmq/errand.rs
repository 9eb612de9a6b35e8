//! Short business on a throw-away channel: declaring, counting, purging.

use lapin::Channel;
use tracing::debug;

use super::connection::Connection;
use super::pause::Pauses;
use super::trouble::Trouble;
use crate::queue::{Queue, QueueError};

/// Does `work` on a channel of its own, again and again while the connection is lost over it; so `work` must be
/// harmless to repeat. `queue` is the one that may be missing.
///
/// It is done on the consuming connection: the publishing one stands still during an alarm.
pub(super) async fn errand<T, Work>(
    connection: &Connection,
    queue: &Queue,
    work: impl Fn(Channel) -> Work,
) -> Result<T, QueueError>
where
    Work: Future<Output = lapin::Result<T>>,
{
    let mut pauses = Pauses::new();
    loop {
        let live = connection.live().await?;
        let done = match live.create_channel().await {
            Ok(channel) => work(channel).await,
            Err(error) => Err(error),
        };
        let error = match done {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        match Trouble::from(&error) {
            Trouble::Passing(why) => debug!("asking the broker again: {why}"),
            Trouble::Missing => {
                let queue = queue.clone();
                return Err(QueueError::Missing { queue });
            }
            Trouble::Refused(message) => return Err(QueueError::Refused { message }),
        }
        pauses.pause().await;
    }
}
