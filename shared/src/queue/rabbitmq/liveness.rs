//! Bounded waits for lapin.
//!
//! lapin fails all open requests when a connection breaks, but a request issued at the same moment can slip in
//! afterwards and stay unanswered for ever. So every wait also polls the connection.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

/// Interval between polls of the connection.
const LOOK: Duration = Duration::from_secs(1);

/// The result of `request`; none if the connection closes without an answer.
pub(super) async fn while_connected<T>(
    is_connected: impl Fn() -> bool,
    request: impl Future<Output = T>,
) -> Option<T> {
    let mut request = pin!(request);
    loop {
        match timeout(LOOK, &mut request).await {
            Ok(answer) => return Some(answer),
            Err(_) if is_connected() => {}
            // The closing itself may have answered the request.
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
    async fn an_unanswered_request_waits_while_connected() {
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
