//! The promises of the API, over a ledger in memory and the embedded queue.

mod access;
mod changing;
mod compression;
mod document;
mod events;
mod fuzz;
mod hostile;
mod looking;
mod metrics;
mod million;
mod reading;
mod schema;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use drover_shared::datum::{Cause, Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::job::{Counts, JobRecord, JobState};
use drover_shared::ledger::{Ledger, ManifestEntry};
use drover_shared::queue::{Broker, Embedded};
use drover_shared::store::{Store, layout};
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::server::listen::router_below;
use super::{Access, Api, ApiContext, BasePath, BrokerHandle};
use drover_core::leader::LiveJobs;
use drover_core::testing::samples::{entry, verdict};
use drover_core::triggers::WaitReasons;

/// An API without a listener: requests are put to the router directly.
struct Site {
    ledger: Ledger,
    api: Api,
    router: Router,
    waiting: WaitReasons,
}

impl Site {
    fn new() -> Self {
        Self::with(Access::default())
    }

    fn with(access: Access) -> Self {
        Self::made(Ledger::new(Store::in_memory()), access)
    }

    fn on(ledger: Ledger) -> Self {
        Self::made(ledger, Access::default())
    }

    fn made(ledger: Ledger, access: Access) -> Self {
        let broker = Arc::new(Embedded::new(1000));
        let waiting = WaitReasons::default();
        let api = Api::new(ApiContext {
            ledger: ledger.clone(),
            broker: BrokerHandle::Embedded(broker as Arc<dyn Broker>),
            shown: LiveJobs::default(),
            waiting: waiting.clone(),
        });
        Self {
            router: router_below(&BasePath::default(), api.clone(), access),
            ledger,
            api,
            waiting,
        }
    }

    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// The JSON answer to a request; null if there is no body.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, Value) {
        let request = request(method, path).body(body.into()).unwrap();
        told(self.ask(request).await).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.exchange(Method::GET, path, Body::empty()).await
    }

    /// The answer to a request that must succeed.
    #[track_caller]
    fn sees(&self, path: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        let path = path.to_owned();
        async move {
            let (status, answer) = self.get(&path).await;
            assert_eq!(status, StatusCode::OK, "{caller}: {path}: {answer}");
            answer
        }
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.exchange(Method::POST, path, body.to_string()).await
    }

    /// Replaces the record of a job, even a final one.
    async fn replace_record(&self, record: &JobRecord) {
        let key = drover_shared::store::layout::record(record.id);
        self.ledger.store().delete(&key).await.unwrap();
        self.ledger.save(record).await.unwrap();
    }

    /// A job of `made` that has ended: of its ten datums 3 and 7 failed, and 9 was skipped.
    async fn ended_job(&self) -> JobId {
        let id = JobId::generate();
        let skipped =
            |index| (index == 9).then_some(drover_shared::ledger::DoneRef { job: id, index });
        let entries: Vec<ManifestEntry> =
            (0..10).map(|index| entry(index, skipped(index))).collect();
        for part in [&entries[..4], &entries[4..]] {
            let segment = self.ledger.write_manifest(id, part).await.unwrap();
            let ended = segment.indexes().filter(|index| *index != 9);
            let verdicts: Vec<Verdict> = ended.map(ending).collect();
            self.ledger.seal(id, segment, &verdicts).await.unwrap();
        }
        self.ledger.complete_manifest(id, 10).await.unwrap();
        let record = JobRecord {
            state: JobState::Failure,
            reason: Some("2 of 10 datums failed".to_owned()),
            started: Some(Timestamp::UNIX_EPOCH),
            finished: Some(Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(10)),
            datums: Counts {
                total: 10,
                processed: 7,
                skipped: 1,
                failed: 2,
                recovered: 0,
            },
            ..JobRecord::new(id, "made".parse().unwrap(), Timestamp::UNIX_EPOCH)
        };
        self.ledger
            .open_job(&record, &spec("made", "in"))
            .await
            .unwrap();
        id
    }
}

impl Site {
    /// Stores an input, and the output `/all` of datum 0 of [`Site::ended_job`].
    async fn some_files(&self, job: JobId) {
        let store = self.ledger.store();
        let input = "in/a.png".parse().unwrap();
        store
            .put(&input, Bytes::from_static(b"a picture"))
            .await
            .unwrap();
        let staged = layout::staged_file(job, &ending(0).staged, 0);
        store.put(&staged, Bytes::from_static(b"x")).await.unwrap();
    }
}

/// How a datum of [`Site::ended_job`] ended.
fn ending(index: u64) -> Verdict {
    let failed = |last_line: &str| Verdict {
        cause: Some(Cause::Exit {
            code: 1,
            last_line: last_line.to_owned(),
        }),
        ..verdict(index, VerdictState::Failed, &[])
    };
    let begun =
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(i64::try_from(index).unwrap());
    Verdict {
        started: begun,
        finished: begun + jiff::SignedDuration::from_millis(500),
        ..match index {
            3 => failed("row 3: no such column"),
            7 => failed("out of memory"),
            _ => verdict(index, VerdictState::Success, &[("/all", 1)]),
        }
    }
}

fn spec(name: &str, reads: &str) -> Value {
    json!({
        "pipeline": { "name": name },
        "transform": { "cmd": ["true"] },
        "input": { "pfs": { "repo": reads, "glob": "/*" } },
    })
}

fn request(method: Method, path: &str) -> axum::http::request::Builder {
    let host = "localhost:7600";
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", host);
    request.header("content-type", "application/json")
}

async fn told(answer: Response<Body>) -> (StatusCode, Value) {
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)))
    };
    (status, body)
}

/// Asserts that an answer is an error of the contract's shape.
#[track_caller]
fn assert_error(what: &str, (status, answer): &(StatusCode, Value), expected: u16, kind: &str) {
    assert_eq!(status.as_u16(), expected, "{what}: {answer}");
    assert_eq!(answer["error"]["kind"], kind, "{what}: {answer}");
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty(), "{what}: {answer}");
}

/// The indexes of the datums of a page.
fn indexes(page: &Value) -> Vec<u64> {
    let datums = page["datums"].as_array().unwrap();
    datums
        .iter()
        .map(|datum| datum["index"].as_u64().unwrap())
        .collect()
}
