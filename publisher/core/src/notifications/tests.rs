//! Content, time and signature of events.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{FailureGroups, JobRecord, JobState};
use drover_shared::ledger::{Deliveries, EventSubject, Ledger, PipelineChange};
use drover_shared::pipeline::{Notification, NotifyEvent, Receiver, from_value};
use drover_shared::process::WebClient;
use drover_shared::store::Store;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

use super::cloud_event::{EventView, event_id};
use super::decide::{self, DueDelivery, TryOutcome};
use super::send::Sender;
use super::{DeliveryService, NotifySettings};

const HOUR: Duration = Duration::from_hours(1);

/// A receiver of the given events that is told of a standstill after a minute.
fn receiver(on: &[NotifyEvent]) -> Notification {
    Notification {
        on: on.to_vec(),
        receiver: Receiver::Command(vec!["true".to_owned()]),
        timeout: Duration::from_secs(10),
        standstill_after: Duration::from_mins(1),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn job(state: JobState) -> JobRecord {
    let mut job = JobRecord::new(JobId::generate(), "made".parse().unwrap(), at(0));
    job.state = state;
    job.finished = state.is_final().then(|| at(9));
    job
}

#[test]
fn a_stop_by_a_person_is_no_event_and_a_limit_is_a_failure() {
    let rows = [
        (JobState::Running, false, None),
        (JobState::Success, false, Some(NotifyEvent::Success)),
        (JobState::Failure, false, Some(NotifyEvent::Failure)),
        (JobState::Killed, false, Some(NotifyEvent::Failure)),
        (JobState::Killed, true, None),
    ];
    for (state, stopped, expected) in rows {
        assert_eq!(
            decide::final_event(&job(state), stopped),
            expected,
            "{state:?}"
        );
    }
}

#[test]
fn each_receiver_gets_the_events_it_wants_until_each_delivery_has_ended() {
    use NotifyEvent::{Failure, Success};
    let receivers = [receiver(&[Success]), receiver(&NotifyEvent::ALL)];
    let mut state = Deliveries::default();
    let due = decide::due(&receivers, Some(Success), &state, at(0));
    assert_eq!(due.len(), 2);
    assert_eq!(
        decide::due(&receivers, Some(Failure), &state, at(0)).len(),
        1
    );
    state = decide::claimed(state, &due, &receivers, at(0));
    assert_eq!(decide::due(&receivers, Some(Success), &state, at(1)), []);
    (state, _) = decide::after_try(state, &due[0], &TryOutcome::Delivered, at(1));
    assert!(!decide::is_finished(&receivers, Some(Success), &state));
    let again = decide::due(&receivers, Some(Success), &state, at(100));
    assert_eq!(again, due[1..], "a process died between claim and note");
    (state, _) = decide::after_try(state, &due[1], &TryOutcome::Delivered, at(101));
    assert!(decide::is_finished(&receivers, Some(Success), &state));
}

#[test]
fn a_failing_receiver_is_tried_with_growing_pauses_for_a_day() {
    let receivers = [receiver(&NotifyEvent::ALL)];
    let due = DueDelivery {
        event: NotifyEvent::Failure,
        receiver: 0,
    };
    let mut state = Deliveries::default();
    let (mut now, mut tries) = (at(0), 0);
    loop {
        let due = [due.clone()];
        state = decide::claimed(state, &due, &receivers, now);
        let failed = TryOutcome::Failed("503".to_owned());
        let (after, gives_up) = decide::after_try(state, &due[0], &failed, now);
        state = after;
        tries += 1;
        if gives_up {
            break;
        }
        let next = state.deliveries["failure.0"].not_before;
        let pause = next.duration_since(now).as_secs();
        assert!(
            (3..=3_600).contains(&pause),
            "{pause} s after {tries} tries"
        );
        now = next;
    }
    assert!((25..=50).contains(&tries), "{tries} tries in a day");
    assert!(decide::is_finished(
        &receivers,
        Some(NotifyEvent::Failure),
        &state
    ));
}

#[test]
fn a_standstill_is_told_once_after_its_time_and_each_standstill_has_an_id() {
    let receivers = [receiver(&NotifyEvent::ALL)];
    let look = |state, why: Option<&str>, seconds| {
        decide::after_look(state, why.map(str::to_owned), at(seconds))
    };
    let mut state = look(Deliveries::default(), Some("no worker"), 0);
    assert_eq!(decide::due(&receivers, None, &state, at(59)), []);
    state = look(state, Some("no worker"), 60);
    let due = decide::due(&receivers, None, &state, at(60));
    assert_eq!(due.len(), 1);
    state = decide::claimed(state, &due, &receivers, at(60));
    (state, _) = decide::after_try(state, &due[0], &TryOutcome::Delivered, at(60));
    assert_eq!(decide::due(&receivers, None, &state, at(9_000)), []);
    state = look(state, None, 9_001);
    state = look(state, Some("no coordinator"), 9_002);
    assert_eq!(decide::due(&receivers, None, &state, at(9_062)), due);
    let id = JobId::generate();
    let named = event_id(id, NotifyEvent::Standstill, state.standstills);
    assert_eq!(named, format!("{id}.standstill.2"));
}

#[test]
fn the_standstill_of_a_pipeline_lasts_while_any_process_sees_its_obstacle() {
    let see = |state, seconds| decide::after_obstacle(state, "no folder".to_owned(), at(seconds));
    let since = |state: &Deliveries| state.standstill.as_ref().unwrap().since;
    let mut state = see(Deliveries::default(), 0);
    for seconds in (10..=300).step_by(50) {
        assert!(!decide::is_over(&state, at(seconds)));
        state = see(state, seconds);
        assert_eq!(since(&state), at(0));
    }
    assert!(decide::is_over(&state, at(400)));
    assert_eq!(since(&see(state, 400)), at(400), "it is another standstill");
}

#[tokio::test]
async fn a_pipeline_that_cannot_start_a_job_is_told_once_and_forgotten_when_it_can() {
    let (url, requests) = server(&[200]);
    let ledger = Ledger::new(Store::in_memory());
    let name: PipelineName = "made".parse().unwrap();
    let spec = json!({
        "pipeline": {"name": "made"}, "transform": {"cmd": ["true"]},
        "input": {"pfs": {"repo": "in", "glob": "/*"}},
        "notify": [{"webhook": url, "standstill_after": "0s"}],
    });
    let created = PipelineChange::Create(spec);
    ledger.change_pipeline(&name, &created).await.unwrap();
    let obstacle = vec![(name.clone(), "its input has no folder".to_owned())];
    let stuck = service(&ledger).with_obstacles(Arc::new(move || obstacle.clone()));
    for _ in 0..3 {
        stuck.look_at_pipelines().await.unwrap();
    }
    let request = requests.recv().unwrap();
    assert!(
        request.contains("dev.drover.pipeline.standstill"),
        "{request}"
    );
    assert!(request.contains("its input has no folder"), "{request}");
    assert!(requests.try_recv().is_err(), "one event for one standstill");
    assert_eq!(
        ledger.pipelines_with_events().await.unwrap(),
        std::slice::from_ref(&name)
    );
    let subject = EventSubject::Pipeline(name);
    let (mut state, version) = ledger.deliveries(&subject).await.unwrap().unwrap();
    state.seen = Some(Timestamp::UNIX_EPOCH);
    ledger
        .change_deliveries(&subject, &state, &version)
        .await
        .unwrap();
    service(&ledger).look_at_pipelines().await.unwrap();
    assert_eq!(ledger.pipelines_with_events().await.unwrap(), []);
}

#[test]
fn an_event_is_a_cloud_event_with_the_record_of_the_job() {
    let job = job(JobState::Failure);
    let event = EventView {
        event: NotifyEvent::Failure,
        id: event_id(job.id, NotifyEvent::Failure, 0),
        time: at(9),
        why: Some("3 datums failed".to_owned()),
        failures: FailureGroups::default(),
        pipeline: job.pipeline.clone(),
        job: Some(job.clone()),
    };
    let document: Value = serde_json::from_slice(&event.to_json().unwrap()).unwrap();
    let expected = json!({
        "specversion": "1.0", "type": "dev.drover.job.failure", "source": "/pipelines/made",
        "id": format!("{}.failure", job.id), "subject": job.id, "time": "2027-01-15T08:00:09Z",
        "datacontenttype": "application/json",
        "data": {"event": "failure", "pipeline": "made", "why": "3 datums failed", "causes": [], "job": job},
    });
    assert_eq!(document, expected);
}

#[test]
fn a_signature_is_that_of_standard_webhooks() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hooks"), "a key of sixteen bytes\n").unwrap();
    let settings = NotifySettings {
        keys: Some(folder.path().to_owned()),
        allow_commands: false,
    };
    let key = settings
        .key("hooks")
        .unwrap_or_else(|_| panic!("the key can be read"));
    let signed = super::signature::signature(&key, "msg", 1_800_000_000, b"{}");
    // printf 'msg.1800000000.{}' | openssl dgst -sha256 -hmac 'a key of sixteen bytes' -binary | base64
    assert_eq!(signed, "v1,BLKeOAVoEL7sK0QnjvyzXi5JvlQPEE/v6JVgTiR8jcM=");
}

#[test]
fn a_key_that_is_missing_or_short_is_named_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("short"), "secret").unwrap();
    let mut settings = NotifySettings::default();
    let problem = |settings: &NotifySettings, name| settings.key(name).err().unwrap_or_default();
    assert!(problem(&settings, "hooks").contains("--notify-keys"));
    settings.keys = Some(folder.path().to_owned());
    assert!(problem(&settings, "hooks").contains("cannot be read"));
    let short = problem(&settings, "short");
    assert!(short.contains("16") && !short.contains("secret"), "{short}");
}

/// Tries to deliver a failure to a command.
async fn try_command(command: &[&str], timeout: Duration, allow_commands: bool) -> TryOutcome {
    let sender = Sender {
        settings: NotifySettings {
            keys: None,
            allow_commands,
        },
        client: WebClient::new().unwrap(),
    };
    let to = Notification {
        receiver: Receiver::Command(command.iter().map(|&each| each.to_owned()).collect()),
        timeout,
        ..receiver(&NotifyEvent::ALL)
    };
    let job = job(JobState::Failure);
    let event = EventView {
        event: NotifyEvent::Failure,
        id: "id".to_owned(),
        time: at(9),
        why: Some("why".to_owned()),
        failures: FailureGroups::default(),
        pipeline: job.pipeline.clone(),
        job: Some(job),
    };
    sender.send(&to, &event).await
}

#[tokio::test]
async fn a_command_gets_the_event_and_no_other_variables() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let script = format!("env > {0}; cat >> {0}", out.display());
    let outcome = try_command(&["sh", "-c", &script], HOUR, true).await;
    assert_eq!(outcome, TryOutcome::Delivered);
    let seen = std::fs::read_to_string(out).unwrap();
    assert!(seen.contains("DROVER_EVENT=failure\n"), "{seen}");
    assert!(seen.contains("DROVER_WHY=why\n"), "{seen}");
    assert!(seen.contains("\"specversion\":\"1.0\""), "{seen}");
    // Cargo sets the variable for tests.
    assert!(!seen.contains("CARGO_MANIFEST_DIR"), "{seen}");
}

#[tokio::test]
async fn a_command_that_fails_hangs_or_is_not_allowed_is_told_apart() {
    let limit = Duration::from_millis(300);
    let failed = try_command(&["sh", "-c", "echo no mail >&2; exit 3"], HOUR, true).await;
    let TryOutcome::Failed(problem) = failed else {
        panic!("{failed:?}")
    };
    assert!(
        problem.contains('3') && problem.ends_with(": no mail"),
        "{problem}"
    );
    let began = std::time::Instant::now();
    let hangs = try_command(&["sh", "-c", "sleep 100 & sleep 100"], limit, true).await;
    assert!(matches!(hangs, TryOutcome::Failed(_)), "{hangs:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    let missing = try_command(&["/no/such/program"], HOUR, true).await;
    assert!(matches!(missing, TryOutcome::Failed(_)), "{missing:?}");
    let refused = try_command(&["true"], HOUR, false).await;
    assert!(matches!(refused, TryOutcome::Hopeless(_)), "{refused:?}");
}

/// A web server that answers the statuses in sequence, and passes on each request.
fn server(statuses: &'static [u16]) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/secret-path", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            while !request.ends_with(b"}") {
                let count = stream.read(&mut part).unwrap();
                assert!(count > 0, "the request is cut off");
                request.extend_from_slice(&part[..count]);
            }
            let answer =
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            sender.send(String::from_utf8(request).unwrap()).unwrap();
        }
    });
    (url, requests)
}

/// A store with a job of the given state and one webhook.
async fn store_with_job(url: &str, state: JobState) -> (Ledger, JobId) {
    let ledger = Ledger::new(Store::in_memory());
    let spec = json!({
        "pipeline": {"name": "made"}, "transform": {"cmd": ["true"]},
        "input": {"pfs": {"repo": "in", "glob": "/*"}},
        "notify": [{"webhook": url}],
    });
    assert!(from_value(&spec).is_ok());
    let mut record = job(JobState::Starting);
    ledger.open_job(&record, &spec).await.unwrap();
    record.state = state;
    record.finished = state.is_final().then(Timestamp::now);
    ledger.save(&record).await.unwrap();
    (ledger, record.id)
}

/// Lets the pause after a failed try pass.
async fn skip_pause(ledger: &Ledger, job: JobId) {
    let job = &EventSubject::from(job);
    let (mut state, version) = ledger.deliveries(job).await.unwrap().unwrap();
    for delivery in state.deliveries.values_mut() {
        delivery.not_before = Timestamp::UNIX_EPOCH;
    }
    assert!(
        ledger
            .change_deliveries(job, &state, &version)
            .await
            .unwrap()
    );
}

fn service(ledger: &Ledger) -> DeliveryService {
    DeliveryService::new(ledger.clone(), NotifySettings::default(), Arc::new(|| None)).unwrap()
}

#[tokio::test]
async fn an_event_that_a_server_refused_comes_again_with_the_same_id_from_the_next_process() {
    let (url, requests) = server(&[503, 204]);
    let (ledger, job) = store_with_job(&url, JobState::Failure).await;
    assert!(
        service(&ledger).try_once(job).await.unwrap(),
        "the server said 503"
    );
    assert!(
        service(&ledger).try_once(job).await.unwrap(),
        "the pause is not over"
    );
    skip_pause(&ledger, job).await;
    assert!(
        !service(&ledger).try_once(job).await.unwrap(),
        "the server took it"
    );
    assert_eq!(ledger.jobs_with_receivers().await.unwrap(), []);
    let [first, second] = [requests.recv().unwrap(), requests.recv().unwrap()];
    for request in [&first, &second] {
        assert!(
            request.contains(&format!("webhook-id: {job}.failure\r\n")),
            "{request}"
        );
        assert!(
            request.contains("application/cloudevents+json"),
            "{request}"
        );
    }
    assert!(requests.try_recv().is_err(), "nothing comes a third time");
}

#[tokio::test]
async fn of_two_processes_one_sends_an_event() {
    let (url, requests) = server(&[200]);
    let (ledger, job) = store_with_job(&url, JobState::Success).await;
    let (first, second) = (service(&ledger), service(&ledger));
    let (first, second) = tokio::join!(first.try_once(job), second.try_once(job));
    assert!(!first.unwrap() || !second.unwrap());
    assert!(requests.recv().unwrap().contains(".success"));
    assert_eq!(ledger.jobs_with_receivers().await.unwrap(), []);
}

#[tokio::test]
async fn an_active_job_without_obstacle_and_a_stopped_one_send_nothing() {
    let (url, requests) = server(&[]);
    let (ledger, job) = store_with_job(&url, JobState::Running).await;
    assert!(!service(&ledger).try_once(job).await.unwrap());
    assert_eq!(ledger.jobs_with_receivers().await.unwrap(), [job]);
    let (ledger, job) = store_with_job(&url, JobState::Running).await;
    ledger.request_stop(job).await.unwrap();
    let mut record = ledger.job(job).await.unwrap();
    record.state = JobState::Killed;
    ledger.save(&record).await.unwrap();
    assert!(!service(&ledger).try_once(job).await.unwrap());
    assert_eq!(ledger.jobs_with_receivers().await.unwrap(), []);
    assert!(requests.try_recv().is_err());
}
