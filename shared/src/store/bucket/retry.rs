//! Retries and timeouts of buckets.
//!
//! A transient failure (5xx, a connection refused or cut, a timeout) is retried for half a minute with delays of 0.1
//! to 3 s. Then the operation fails, and the caller may have a retry budget of its own. An unreachable endpoint is
//! reported within a minute.

use std::error::Error as _;
use std::time::Duration;

use object_store::client::HttpError;
use object_store::{BackoffConfig, ClientConfigKey, Error, RetryConfig};
use tokio::time::{Instant, sleep};

use super::error::one_line;
use crate::backoff::Backoff;

/// Retries end after the time.
pub(super) const RETRY_BUDGET: Duration = Duration::from_secs(30);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// More than fit into [`RETRY_BUDGET`].
const MOST_RETRIES: usize = 1000;

/// Settings of the client. The limit for a whole request is practically infinite, because it would cut large downloads
/// short; the limit between two reads detects a silent server. The read limit also bounds the upload of a part: 8 MiB
/// in a minute.
pub(super) const TIMEOUTS: [(ClientConfigKey, &str); 3] = [
    (ClientConfigKey::ConnectTimeout, "5 seconds"),
    (ClientConfigKey::ReadTimeout, "60 seconds"),
    (ClientConfigKey::Timeout, "7 days"),
];

/// Error codes for a body that was damaged or lost in transit.
const DAMAGED_ON_THE_WAY: [&str; 4] = [
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "IncompleteBody",
    "RequestTimeout",
];

/// How `object_store` sends a failed request again.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: FIRST_PAUSE,
            max_backoff: LONGEST_PAUSE,
            base: 2.0,
        },
        max_retries: MOST_RETRIES,
        retry_timeout: RETRY_BUDGET,
    }
}

/// Retries an attempt while the connection is at fault. `object_store` does so itself, except for requests that could
/// find their own work done (a conditional put, a bulk delete): use the function only where the caller handles that
/// case.
pub(super) async fn retry_transient<T, F>(mut attempt: impl FnMut() -> F) -> object_store::Result<T>
where
    F: Future<Output = object_store::Result<T>>,
{
    let begun = Instant::now();
    let mut pauses = Backoff::new();
    loop {
        let ended = attempt().await;
        match &ended {
            Err(error) if begun.elapsed() < RETRY_BUDGET && is_transient(error) => {
                let pause = pauses.next().unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
                tracing::info!("{}; retrying in {pause:.1?}", one_line(error));
                sleep(pause).await;
            }
            _ => return ended,
        }
    }
}

/// True if the connection is at fault, or the body was damaged in transit.
fn is_transient(error: &Error) -> bool {
    let mut link = error.source();
    while let Some(cause) = link {
        if cause.is::<HttpError>() {
            return true;
        }
        link = cause.source();
    }
    let text = error.to_string();
    DAMAGED_ON_THE_WAY
        .iter()
        .any(|code| text.contains(&format!("<Code>{code}</Code>")))
}

#[cfg(test)]
mod tests {
    use std::io;

    use object_store::client::HttpErrorKind;

    use super::*;

    fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Generic {
            store: "S3",
            source: source.into(),
        }
    }

    fn reset() -> Error {
        generic(HttpError::new(
            HttpErrorKind::Interrupted,
            io::Error::from(io::ErrorKind::ConnectionReset),
        ))
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_connection_is_retried() {
        let mut cuts = 5;
        let attempt = || {
            cuts -= 1;
            std::future::ready(if cuts == 0 { Ok(7) } else { Err(reset()) })
        };
        assert_eq!(retry_transient(attempt).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn retries_end_with_the_budget() {
        let begun = Instant::now();
        let ended: object_store::Result<()> =
            retry_transient(|| std::future::ready(Err(reset()))).await;
        assert!(ended.is_err());
        assert!((RETRY_BUDGET..2 * RETRY_BUDGET).contains(&begun.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn only_transient_errors_are_retried() {
        let rows = [
            ("<Error><Code>BadDigest</Code></Error>", true),
            ("<Error><Code>RequestTimeout</Code></Error>", true),
            ("<Error><Code>InvalidArgument</Code></Error>", false),
        ];
        for (body, again) in rows {
            assert_eq!(is_transient(&generic(body)), again, "{body}");
        }
    }
}
