//! Live updates.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use drover_shared::id::JobId;
use drover_shared::ledger::{Scope, Submission};
use drover_shared::queue::Broker;
use futures::StreamExt;
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt;

use super::super::{Access, Api, ApiContext, BrokerHandle};
use super::{Site, assert_error, request, told};
use crate::BasePath;
use crate::routing::updates::{Subject, Update};
use crate::server::listen::router_below;
use drover_core::leader::{LiveJobs, PipelineLeader};
use drover_core::testing::fixture::{DEADLINE, Fixture, WorkerBehavior};
use drover_core::triggers::WaitReasons;

/// The events of a stream, as they come.
struct Events {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Events {
    fn of(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event: its kind and its data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .trim()
                        .to_owned()
                };
                let told = (
                    field("event:"),
                    serde_json::from_str(&field("data:")).unwrap_or_default(),
                );
                self.text = rest.to_owned();
                return told;
            }
            let more = self.body.next().await.expect("the stream goes on").unwrap();
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
    }
}

#[tokio::test]
async fn whoever_listens_hears_of_a_job_until_its_end() {
    let fixture = Fixture::new(20).await;
    let broker = fixture.broker().await;
    let shown = LiveJobs::default();
    let api = Api::new(ApiContext {
        ledger: fixture.ledger.clone(),
        broker: BrokerHandle::Embedded(Arc::clone(&broker) as Arc<dyn Broker>),
        shown: shown.clone(),
        waiting: WaitReasons::default(),
    });
    let site = router_below(&BasePath::default(), api.clone(), Access::default());
    let stream = request(Method::GET, "/api/v1/events")
        .body(Body::empty())
        .unwrap();
    let answer = site.oneshot(stream).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = Events::of(answer.into_body());
    let leader = PipelineLeader {
        live_jobs: shown,
        ..PipelineLeader::on_broker(
            fixture.ledger.clone(),
            Arc::clone(&broker) as _,
            "one".to_owned(),
        )
    };
    let record = fixture.assignment(Scope::Everything).record;
    let submission = Submission {
        scope: Scope::Everything,
        reprocess: false,
        keep_going: false,
        halt: None,
        after: Vec::new(),
        fingerprint: None,
        trace: None,
    };
    let listening = async {
        let (kind, session) = events.next().await;
        assert_eq!(
            (kind.as_str(), &session["broker"]),
            ("hello", &"embedded".into())
        );
        fixture
            .ledger
            .submit(&record, &fixture.spec, &submission)
            .await
            .unwrap();
        let name = fixture.pipeline().name;
        let ending = async {
            loop {
                let (kind, job) = events.next().await;
                if kind == "job" && job["state"] == "success" {
                    return job;
                }
            }
        };
        tokio::join!(leader.run(&name), ending).1
    };
    let job = tokio::select! {
        never = super::super::live::feed::run(&api) => match never {},
        () = fixture.run_fake_worker(&broker, WorkerBehavior::default()) => panic!("the worker died"),
        heard = timeout(DEADLINE, listening) => heard.expect("the end is never told"),
    };
    assert_eq!(
        (&job["job"], &job["datums"]["processed"]),
        (&serde_json::json!(record.id), &20.into())
    );
    assert_eq!((&job["queued"], &job["running"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn jobs_that_others_coordinate_are_told_too_and_pipelines() {
    let site = Site::new();
    let stream = request(Method::GET, "/api/v1/events")
        .body(Body::empty())
        .unwrap();
    let mut events = Events::of(site.ask(stream).await.into_body());
    let listening = async {
        assert_eq!(events.next().await.0, "hello");
        site.post("/api/v1/pipelines", &super::spec("made", "in"))
            .await;
        let (kind, pipeline) = events.next().await;
        assert_eq!(
            (kind.as_str(), &pipeline["pipeline"]),
            ("pipeline", &"made".into())
        );
        site.exchange(Method::DELETE, "/api/v1/pipelines/made", "")
            .await;
        let (kind, gone) = events.next().await;
        assert_eq!(
            (kind.as_str(), &gone["deleted"]),
            ("pipeline", &true.into())
        );
        let job = site.ended_job().await;
        loop {
            let (kind, told) = events.next().await;
            if kind == "job" {
                assert_eq!(
                    (&told["job"], &told["state"]),
                    (&serde_json::json!(job), &"failure".into())
                );
                return;
            }
        }
    };
    tokio::select! {
        never = super::super::live::feed::run(&site.api) => match never {},
        heard = timeout(DEADLINE, listening) => heard.expect("it is never told"),
    }
}

#[tokio::test]
async fn only_so_many_listen_and_who_goes_makes_place() {
    let site = Site::new();
    let stream = || {
        request(Method::GET, "/api/v1/events")
            .body(Body::empty())
            .unwrap()
    };
    let mut listeners = Vec::new();
    for _ in 0..32 {
        let answer = site.ask(stream()).await;
        assert_eq!(answer.status(), 200);
        listeners.push(answer);
    }
    let refused = told(site.ask(stream()).await).await;
    assert_error("one too many", &refused, 503, "unavailable");
    listeners.pop();
    assert_eq!(site.ask(stream()).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_comment_tells_that_the_line_is_not_dead() {
    let site = Site::new();
    let stream = request(Method::GET, "/api/v1/events")
        .body(Body::empty())
        .unwrap();
    let mut body = site.ask(stream).await.into_body().into_data_stream();
    let _hello = body.next().await;
    let sign = timeout(Duration::from_secs(16), body.next())
        .await
        .expect("nothing came");
    assert!(sign.unwrap().unwrap().starts_with(b":"));
}

#[tokio::test]
async fn a_client_that_lagged_hears_the_last_state_of_each_job() {
    let site = Site::new();
    let stream = request(Method::GET, "/api/v1/events")
        .body(Body::empty())
        .unwrap();
    let mut events = Events::of(site.ask(stream).await.into_body());
    let (ended, busy) = (JobId::generate(), JobId::generate());
    let send = |job: JobId, state: &str| {
        let data = serde_json::json!({ "job": job, "state": state }).to_string();
        let update = Update::Resource("job", data.into());
        site.api.updates().send(Subject::Job(job), update);
    };
    send(ended, "running");
    send(ended, "success");
    for _ in 0..1000 {
        send(busy, "running");
    }
    assert_eq!(events.next().await.0, "hello");
    let told = timeout(DEADLINE, events.next()).await.expect("it is told");
    assert_eq!(told.1["state"], "success");
}
