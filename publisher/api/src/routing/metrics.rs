//! Metrics of the API. The names are a contract (`docs/operations.md`) and are all defined here.
//!
//! Labels have few values: routes appear as templates, never with text from a client. Without a recorder, recording
//! does nothing.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Requests by `route`, `method` and `status` (2xx, 4xx, 5xx …).
const REQUESTS: &str = "drover_http_requests_total";
/// Time from the head of a request to the head of the answer, by `route`.
pub const SECONDS: &str = "drover_http_request_seconds";
/// Open event streams.
const STREAMS: &str = "drover_http_event_streams";

/// Upper bounds of the histogram in seconds, from an answer out of memory to the timeout of a request.
pub const BUCKETS_S: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Label of requests for files of the page, and for unknown paths.
const PAGE: &str = "page";

/// Describes the metrics to the recorder.
pub fn describe() {
    describe_counter!(REQUESTS, "requests to the HTTP API and the page");
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "from the head of a request to the head of its answer"
    );
    describe_gauge!(STREAMS, "clients that listen to live updates");
}

/// Middleware that counts and times requests.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = method(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| PAGE.to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let status = class(response.status());
    counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    histogram!(SECONDS, "route" => route).record(begun.elapsed());
    response
}

/// Label of a method; unusual methods share one label.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}

/// Counts an event stream as open until dropped.
pub(crate) struct StreamGauge;

impl StreamGauge {
    pub(crate) fn begin() -> Self {
        gauge!(STREAMS).increment(1.0);
        Self
    }
}

impl Drop for StreamGauge {
    fn drop(&mut self) {
        gauge!(STREAMS).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_can_make_labels_of_its_own() {
        let invented = Method::from_bytes(b"FOO-7").unwrap();
        assert_eq!(method(&invented), "other");
        assert_eq!(method(&Method::DELETE), "DELETE");
        let odd = StatusCode::from_u16(799).unwrap();
        assert_eq!((class(odd), class(StatusCode::FORBIDDEN)), ("other", "4xx"));
    }
}
