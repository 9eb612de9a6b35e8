//! The entry point of the fake API server, and the controls for tests.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use super::state::FakeApiState;
use super::{FakeNetwork, RecordedRequest};

/// Polling interval of a watch, and the number of polls before the watch ends.
const BREATH: Duration = Duration::from_millis(5);
const LONGEST_WATCH: u32 = 2000;

/// A fake cluster. Cheap to clone; all clones share the same state.
#[derive(Clone, Default)]
pub(crate) struct FakeApi(Arc<Mutex<FakeApiState>>);

impl FakeApi {
    /// A client of this cluster.
    pub(crate) fn client(&self) -> Client {
        self.client_through(&FakeNetwork::default())
    }

    /// A client that reaches this cluster through `network`, which may lose packets.
    pub(crate) fn client_through(&self, network: &FakeNetwork) -> Client {
        let (cluster, network) = (self.clone(), network.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (cluster, network) = (cluster.clone(), network.clone());
            async move {
                network.pass_request().await;
                let response = cluster.answer(request).await;
                network.pass_response().await;
                Ok::<_, Infallible>(response)
            }
        });
        Client::new(service, "farm")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let recorded = RecordedRequest::of(&head, &body);
        let (status, answer) = if recorded.parameter("watch").is_some() {
            (200, self.events(&recorded).await)
        } else {
            let (status, answer) = self.state().answer(&recorded);
            (status, answer.to_string())
        };
        let json = [("content-type", "application/json")];
        let mut response = Response::builder().status(status);
        for (name, value) in json {
            response = response.header(name, value);
        }
        response.body(Full::from(answer)).unwrap()
    }

    /// The events of a watch: all objects changed since the known version, one event a line, once any object changed.
    /// The client then watches again.
    async fn events(&self, request: &RecordedRequest) -> String {
        let known = request
            .parameter("resourceVersion")
            .and_then(|version| version.parse().ok());
        for _ in 0..LONGEST_WATCH {
            let changes = self.state().changed_since(request, known.unwrap_or(0));
            if !changes.is_empty() {
                return changes
                    .iter()
                    .flat_map(|event| [event.to_string(), "\n".to_owned()])
                    .collect();
            }
            tokio::time::sleep(BREATH).await;
        }
        String::new()
    }

    fn state(&self) -> MutexGuard<'_, FakeApiState> {
        self.0.lock().unwrap()
    }

    /// The object with this plural kind and name.
    pub(crate) fn object(&self, kind: &str, name: &str) -> Option<Value> {
        self.state().find(kind, name)
    }

    /// All objects of a kind.
    pub(crate) fn objects(&self, kind: &str) -> Vec<Value> {
        self.state().all(kind)
    }

    /// Creates or replaces an object, as another client would.
    pub(crate) fn put(&self, collection: &str, object: Value) {
        self.state().put(collection, object);
    }

    /// Sends a request, as another client would: `path` of an object or its subresource, `body`, and its content type.
    /// Fails with the message of a refusal.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type);
        let (head, ()) = request.body(()).unwrap().into_parts();
        let (status, answer) = self
            .state()
            .answer(&RecordedRequest::of(&head, body.to_string().as_bytes()));
        if status < 300 {
            return Ok(answer);
        }
        Err(answer["message"].as_str().unwrap_or_default().to_owned())
    }

    /// Changes an object, as another client would.
    pub(crate) fn change(&self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.state().change(kind, name, change);
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        std::mem::take(&mut self.state().requests)
    }

    /// Answers so many further requests and then fails all of them, as if the operator had died.
    pub(crate) fn break_after(&self, requests: usize) {
        self.state().lets_through = Some(requests);
    }

    /// Answers again.
    pub(crate) fn heal(&self) {
        self.state().lets_through = None;
    }

    /// Forbids reading and writing objects of the kind.
    pub(crate) fn forbid(&self, kind: &str) {
        self.state().forbidden.push(kind.to_owned());
    }

    /// All objects except events, without versions and timestamps, for comparing states.
    pub(crate) fn picture(&self) -> Value {
        self.state().picture()
    }
}
