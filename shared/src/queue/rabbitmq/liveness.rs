//! Waiting for lapin no longer than there is something to wait for.
//!
//! What is asked of a connection just as it breaks may never be answered: lapin fails what it knows to be open, and a
//! request can slip in behind that. Whoever waited for it would stand still for ever.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

/// How often it is looked whether there is still something to wait for.
const LOOK: Duration = Duration::from_secs(1);

/// What `request` comes to; nothing once that on which it was made is not alive any more.
pub(super) async fn while_connected<T>(
    is_connected: impl Fn() -> bool,
    request: impl Future<Output = T>,
) -> Option<T> {
    let mut request = pin!(request);
    loop {
        match timeout(LOOK, &mut request).await {
            Ok(answer) => return Some(answer),
            Err(_) if is_connected() => {}
            // One more chance: it may have been answered by the end itself.
            Err(_) => return timeout(LOOK, request).await.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_never_answered_is_waited_for_as_long_as_there_is_a_connection() {
        let looks = AtomicU32::new(0);
        let is_connected = || looks.fetch_add(1, Ordering::Relaxed) < 100;
        assert_eq!(while_connected(is_connected, pending::<()>()).await, None);
        assert_eq!(looks.into_inner(), 101);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_even_when_it_is_the_end() {
        let late = tokio::time::sleep(LOOK + LOOK / 2);
        assert_eq!(while_connected(|| false, late).await, Some(()));
    }
}
