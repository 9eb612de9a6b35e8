//! A double of the API server, for tests: it keeps objects as a real one does, as far as the operator can tell, and
//! records each request.
//!
//! What a real one refuses and this one lets through is found on a real one only: schemas, rights, quotas. It does refuse
//! what server-side apply does whatever the schema: a key twice in a list that has keys.

mod answer;
mod lists;
mod request;
mod state;

pub(crate) use request::Recorded;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use self::state::State;

/// How long a watch waits between two looks, and how many of them it takes.
const BREATH: Duration = Duration::from_millis(5);
const LONGEST_WATCH: u32 = 2000;

/// A cluster that is only pretended. Cheap to clone; all clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Cluster(Arc<Mutex<State>>);

impl Cluster {
    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move { Ok::<_, Infallible>(cluster.answer(request).await) }
        });
        Client::new(service, "farm")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let recorded = Recorded::of(&head, &body);
        let (status, answer) = if recorded.parameter("watch").is_some() {
            (200, self.news(&recorded).await)
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

    /// What a watch tells: all that has changed since the version that is known, an event a line, once there is any.
    /// Who watches asks again then. That something is gone is not told.
    async fn news(&self, request: &Recorded) -> String {
        let known = request
            .parameter("resourceVersion")
            .and_then(|version| version.parse().ok());
        for _ in 0..LONGEST_WATCH {
            let news = self.state().changed_since(request, known.unwrap_or(0));
            if !news.is_empty() {
                let event = |object: Value| json!({ "type": "MODIFIED", "object": object });
                let lines = news
                    .into_iter()
                    .map(|object| format!("{}\n", event(object)));
                return lines.collect();
            }
            tokio::time::sleep(BREATH).await;
        }
        String::new()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// An object, by its kind in the plural and its name.
    pub(crate) fn object(&self, kind: &str, name: &str) -> Option<Value> {
        self.state().find(kind, name)
    }

    /// All objects of a kind.
    pub(crate) fn objects(&self, kind: &str) -> Vec<Value> {
        self.state().all(kind)
    }

    /// Puts an object there, as somebody else would.
    pub(crate) fn put(&self, collection: &str, object: Value) {
        self.state().put(collection, object);
    }

    /// Changes an object, as somebody else would.
    pub(crate) fn change(&self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.state().change(kind, name, change);
    }

    /// The requests since this was asked last.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.state().requests)
    }

    /// From now on lets so many requests through, and then refuses all: whoever asks is as good as dead.
    pub(crate) fn break_after(&self, requests: usize) {
        self.state().lets_through = Some(requests);
    }

    /// Answers again.
    pub(crate) fn heal(&self) {
        self.state().lets_through = None;
    }

    /// Refuses to show or change objects of this kind.
    pub(crate) fn forbid(&self, kind: &str) {
        self.state().forbidden.push(kind.to_owned());
    }

    /// All objects but events, without what only tells when and how often they were written: what the world looks
    /// like.
    pub(crate) fn picture(&self) -> Value {
        self.state().picture()
    }
}
