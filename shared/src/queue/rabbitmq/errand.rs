//! Short business on a throw-away channel: declaring, counting, purging.

use lapin::Channel;
use tracing::debug;

use super::alive::while_alive;
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
        let done = async { work(live.create_channel().await?).await };
        let trouble = match while_alive(|| live.status().connected(), done).await {
            Some(Ok(result)) => return Ok(result),
            Some(Err(error)) => Trouble::from(&error),
            None => Trouble::gone(),
        };
        match trouble {
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
