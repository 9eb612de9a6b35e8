//! Posts an event to a web server.

use std::time::Duration;

use drover_shared::process::WebClient;
use jiff::Timestamp;
use url::Url;

use super::decide::TryOutcome;
use super::settings::SigningKey;
use super::signature::signature;

/// Content type of a cloud event in the structured mode.
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

pub(super) async fn post(
    client: &WebClient,
    url: &Url,
    key: Option<&SigningKey>,
    id: &str,
    body: Vec<u8>,
    limit: Duration,
) -> TryOutcome {
    let time = Timestamp::now().as_second();
    let mut headers = vec![
        ("content-type", CONTENT_TYPE.to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", time.to_string()),
    ];
    if let Some(key) = key {
        headers.push(("webhook-signature", signature(key, id, time, &body)));
    }
    // Only the host is shown: a path may be secret.
    let host = url.host_str().unwrap_or_default();
    match client.post(url, &headers, body, limit).await {
        Ok(200..=299) => TryOutcome::Delivered,
        Ok(410) => TryOutcome::Hopeless(format!("{host} answers 410: the webhook is gone")),
        Ok(status @ 300..=399) => TryOutcome::Failed(format!(
            "{host} answers {status}: redirects are not followed; name the final URL"
        )),
        Ok(status) => TryOutcome::Failed(format!("{host} answers {status}")),
        Err(error) => TryOutcome::Failed(format!("{host}: {error}")),
    }
}
