//! Jobs that are stopped from elsewhere.

use std::num::NonZeroU16;

use bytes::Bytes;
use drover_shared::datum::VerdictState;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobKey, JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::wire::{self, Control, Event, ManifestRange, Message, TaskDatums};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::timeout;

use crate::farm::{Farm, SOON, exists};

async fn broadcast(farm: &Farm, control: Control) {
    let (Control::Stop { job } | Control::Close { job } | Control::ReportHeld { job, .. }) =
        control
    else {
        panic!("{control:?} is not about a job");
    };
    let key = farm.ledger.job_key(job).await.unwrap();
    let body = wire::encode_for(&Message::Control(control), key.as_ref()).unwrap();
    farm.broker.broadcast(body).await.unwrap();
}

/// Waits until a job is let go, and says whether the worker has told of it as nothing but that.
async fn released(farm: &mut Farm, job: JobId) {
    loop {
        let report = farm.report().await;
        match report.event {
            Event::Released { .. } if report.job == job => return,
            Event::Running { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Asks the worker what it holds, as the leader of `term`.
async fn held(farm: &mut Farm, term: u64) -> Vec<u64> {
    let inquiry = JobId::generate().to_string();
    let asked = Control::ReportHeld {
        pipeline: farm.pipeline.clone(),
        job: farm.job,
        inquiry: inquiry.clone(),
        term: Some(term),
    };
    broadcast(farm, asked).await;
    loop {
        match farm.report().await.event {
            Event::Held {
                inquiry: answered,
                datums,
                ..
            } => {
                assert_eq!(answered, inquiry);
                return datums.ranges().flatten().collect();
            }
            Event::Running { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_tells_the_leader_that_asks_which_datums_it_holds_running_and_waiting() {
    let mut farm =
        Farm::new("touch $FARM/running; until [ -e $FARM/gate ]; do sleep 0.01; done").await;
    farm.write("a", "A\n");
    let worker = farm.work(farm.settings());
    let set = vec![farm.datum(3, "a"), farm.datum(4, "a")];
    farm.publish(set).await;
    exists(&farm.path("running")).await;
    farm.publish(vec![farm.datum(9, "a")]).await;
    while held(&mut farm, 1).await.len() < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(held(&mut farm, 1).await, [3, 4, 9]);
    std::fs::write(farm.path("gate"), "").unwrap();
    for _ in 0..3 {
        farm.ended().await;
    }
    while !held(&mut farm, 1).await.is_empty() {}
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_an_older_term_is_looked_up_before_anything_runs() {
    let mut farm = Farm::new("echo >> $FARM/runs").await;
    farm.write("a", "A\n");
    for index in 0..3 {
        let committed = farm.verdict_of_another(index);
        farm.ledger.commit(farm.job, &committed).await.unwrap();
    }
    let worker = farm.work(farm.settings());
    let datum = |farm: &Farm, index| TaskDatums::Inline(vec![farm.datum(index, "a")]);
    farm.publish_in_term(datum(&farm, 0), true, Some(8)).await;
    assert!(!farm.ended().await.1);
    farm.publish_in_term(datum(&farm, 1), false, Some(7)).await;
    assert!(!farm.ended().await.1);
    held(&mut farm, 9).await;
    farm.publish_in_term(datum(&farm, 2), false, Some(8)).await;
    assert!(!farm.ended().await.1);
    assert!(
        !farm.path("runs").exists(),
        "it ran for a leader of the past"
    );
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_kills_the_job_s_commands_and_lets_go_once_none_runs() {
    let mut farm = Farm::new(
        "trap 'sleep 0.3; touch $FARM/ended; exit' TERM; touch $FARM/running; sleep 1000 & wait",
    )
    .await;
    farm.write("a", "A\n");
    for index in 0..3 {
        farm.publish(vec![farm.datum(index, "a")]).await;
    }
    let mut settings = farm.settings();
    settings.term_grace = SOON;
    let worker = farm.work(settings);
    exists(&farm.path("running")).await;
    let stopped = farm.job;
    broadcast(&farm, Control::Stop { job: stopped }).await;
    released(&mut farm, stopped).await;
    assert!(
        farm.path("ended").exists(),
        "it was let go while a command ran"
    );
    // The worker goes on with other jobs and drops the results of the stopped job.
    farm.publish(vec![farm.datum(3, "a")]).await;
    farm.open_job(json!({"transform": {"cmd": ["true"]}})).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    let (verdict, _) = farm.ended().await;
    assert_eq!(verdict.state, VerdictState::Success);
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.left().await, 0);
    for index in 0..4 {
        assert_eq!(farm.ledger.committed(stopped, index).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_job_begins_no_other_datum_and_is_let_go_once_the_running_one_has_ended() {
    let mut farm =
        Farm::new("echo >> $FARM/running; until [ -e $FARM/gate ]; do sleep 0.01; done").await;
    farm.write("a", "A\n");
    let worker = farm.work(farm.settings());
    farm.publish(vec![farm.datum(0, "a"), farm.datum(1, "a")])
        .await;
    exists(&farm.path("running")).await;
    let job = farm.job;
    let close = Message::Control(Control::Close { job });
    let forged = wire::encode_for(&close, Some(&JobKey::generate().unwrap())).unwrap();
    farm.broker.broadcast(forged).await.unwrap();
    for index in 2..6 {
        farm.publish(vec![farm.datum(index, "a")]).await;
    }
    while held(&mut farm, 1).await.len() < 3 {}
    broadcast(&farm, Control::Close { job }).await;
    // The waiting datums leave, the running one stays.
    while held(&mut farm, 1).await != [0, 1] {}
    std::fs::write(farm.path("gate"), "").unwrap();
    let (verdict, first) = farm.ended().await;
    assert_eq!((verdict.index, first), (0, true));
    broadcast(&farm, Control::Close { job }).await;
    released(&mut farm, job).await;
    take_one(&mut farm).await;
    let runs = std::fs::read_to_string(farm.path("running")).unwrap();
    assert_eq!(runs.lines().count(), 1);
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert_eq!(farm.left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_without_the_key_of_the_job_counts_only_if_the_store_has_the_request() {
    let mut farm = Farm::new("touch $FARM/running; sleep 1000").await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    let mut settings = farm.settings();
    settings.slots = NonZeroU16::new(2).unwrap();
    let _worker = farm.work(settings);
    exists(&farm.path("running")).await;
    let job = farm.job;
    let other = JobKey::generate().unwrap();
    let stop = Message::Control(Control::Stop { job });
    let forged = [None, Some(&other)].map(|key| wire::encode_for(&stop, key).unwrap());
    for body in forged.clone() {
        farm.broker.broadcast(body).await.unwrap();
    }
    // The second job's end shows that the messages before it were heard.
    take_one(&mut farm).await;
    assert!(!farm.stops.is_stopped(job));
    farm.ledger.request_stop(job).await.unwrap();
    for body in forged {
        farm.broker.broadcast(body).await.unwrap();
    }
    released(&mut farm, job).await;
    assert!(farm.stops.is_stopped(job));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_never_met_is_let_go_at_once_and_stays_stopped() {
    let mut farm = Farm::new("touch $FARM/running").await;
    farm.write("a", "A\n");
    let worker = farm.work(farm.settings());
    take_one(&mut farm).await;
    broadcast(&farm, Control::Stop { job: farm.job }).await;
    let job = farm.job;
    released(&mut farm, job).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    take_one(&mut farm).await;
    assert!(!farm.path("running").exists());
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
}

/// Waits until a datum of another job has been done, and so all that came before it; then goes on as before.
async fn take_one(farm: &mut Farm) {
    let job = farm.job;
    farm.open_job(json!({"transform": {"cmd": ["true"]}})).await;
    farm.publish(vec![farm.datum(0, "a")]).await;
    assert_eq!(farm.ended().await.0.state, VerdictState::Success);
    farm.job = job;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_other_pipelines_and_what_is_not_understood_are_ignored() {
    let mut farm = Farm::new("true").await;
    farm.write("a", "A\n");
    let _worker = farm.work(farm.settings());
    take_one(&mut farm).await;
    let other = of_another_pipeline(&farm.ledger).await;
    broadcast(&farm, Control::Stop { job: other }).await;
    broadcast(
        &farm,
        Control::Stop {
            job: JobId::generate(),
        },
    )
    .await;
    farm.broker
        .broadcast(Bytes::from_static(b"garbage"))
        .await
        .unwrap();
    let job = farm.job;
    broadcast(&farm, Control::Stop { job }).await;
    released(&mut farm, job).await;
}

async fn of_another_pipeline(ledger: &Ledger) -> JobId {
    let pipeline: PipelineName = "other".parse().unwrap();
    let record = JobRecord::new(JobId::generate(), pipeline, Timestamp::now());
    ledger.save(&record).await.unwrap();
    record.id
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_job_that_is_over_are_dropped() {
    let mut farm = Farm::new("touch $FARM/running").await;
    farm.write("a", "A\n");
    // Even the manifest may be gone.
    let gone = TaskDatums::Manifest(ManifestRange {
        segment: 0,
        first: 0,
        count: 1,
    });
    let mut record = farm.ledger.job(farm.job).await.unwrap();
    record.state = JobState::Killed;
    farm.ledger.save(&record).await.unwrap();
    farm.publish(vec![farm.datum(0, "a")]).await;
    farm.publish_task(gone).await;
    farm.open_job(json!({"transform": {"cmd": ["touch", "$FARM/running"]}}))
        .await;
    farm.ledger.request_stop(farm.job).await.unwrap();
    farm.publish(vec![farm.datum(0, "a")]).await;
    let worker = farm.work(farm.settings());
    take_one(&mut farm).await;
    farm.tokens.soft.cancel();
    timeout(SOON, worker).await.unwrap().unwrap().unwrap();
    assert!(!farm.path("running").exists());
    assert_eq!((farm.left().await, farm.dead().await), (0, 0));
}
