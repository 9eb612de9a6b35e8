//! Promises of leaders over a real folder and the embedded queue, with a worker that only pretends to run commands.

mod interleavings;

use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::{Scope, Submission};
use drover_shared::queue::{Broker, Embedded, Queue};
use drover_shared::store::layout;
use drover_shared::wire::{Control, Message, decode, encode};
use futures::future::join;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::{LeaderService, PipelineLeader};
use crate::testing::fixture::{DEADLINE, Fixture, WorkerBehavior, counts};

fn leader(fixture: &Fixture, broker: &Arc<Embedded>, me: &str) -> PipelineLeader {
    let broker = Arc::clone(broker) as _;
    PipelineLeader::on_broker(fixture.ledger.clone(), broker, me.to_owned())
}

async fn submit(fixture: &Fixture, after: Vec<JobId>) -> JobRecord {
    let record = fixture.assignment(Scope::Everything).record;
    let submission = Submission {
        scope: Scope::Everything,
        reprocess: false,
        keep_going: false,
        halt: None,
        after,
        fingerprint: None,
        trace: None,
    };
    fixture
        .ledger
        .submit(&record, &fixture.spec, &submission)
        .await
        .unwrap();
    record
}

/// Waits until the job is as wanted.
async fn eventually(
    fixture: &Fixture,
    job: JobId,
    wanted: impl Fn(&JobRecord) -> bool,
) -> JobRecord {
    let look = async {
        loop {
            let record = fixture.ledger.job(job).await.unwrap();
            if wanted(&record) {
                return record;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, look).await.expect("the job hangs")
}

#[tokio::test]
async fn submitted_jobs_are_seen_through_in_their_order_and_then_the_steward_goes() {
    let fixture = Fixture::new(20).await;
    let broker = fixture.broker().await;
    let jobs = [
        submit(&fixture, vec![]).await,
        submit(&fixture, vec![]).await,
    ];
    let leader = leader(&fixture, &broker, "one");
    tokio::select! {
        ended = timeout(DEADLINE, leader.run(&jobs[0].pipeline)) => ended.expect("a job hangs"),
        () = fixture.run_fake_worker(&broker, WorkerBehavior::default()) => panic!("the worker died"),
    }
    let ended = |job: JobId| fixture.ledger.job(job);
    let (first, second) = (
        ended(jobs[0].id).await.unwrap(),
        ended(jobs[1].id).await.unwrap(),
    );
    assert_eq!(
        (first.state, first.datums),
        (JobState::Success, counts(20, 20, 0, 0))
    );
    assert_eq!(
        (second.state, second.datums),
        (JobState::Success, counts(20, 0, 20, 0))
    );
}

#[tokio::test]
async fn when_a_steward_dies_the_one_who_waited_goes_on_under_the_same_job() {
    let fixture = Fixture::new(60).await;
    let broker = fixture.broker().await;
    let job = submit(&fixture, vec![]).await;
    let (first, second) = (
        leader(&fixture, &broker, "one"),
        leader(&fixture, &broker, "two"),
    );
    let waits = second.run(&job.pipeline);
    tokio::pin!(waits);
    // The first one dies with the worker, between a commit and its report.
    let behavior = WorkerBehavior {
        dies_after: Some(25),
        dies_silently: true,
        ..WorkerBehavior::default()
    };
    tokio::select! {
        biased;
        () = first.run(&job.pipeline) => panic!("it ended"),
        () = &mut waits => panic!("two were at it"),
        () = fixture.run_fake_worker(&broker, behavior) => {}
    }
    let epochs = layout::epochs(&job.pipeline);
    let begun = fixture.ledger.store().names(&epochs).await.unwrap();
    assert_eq!(begun.len(), 1, "who waits coordinated too");
    tokio::select! {
        ended = timeout(DEADLINE, waits) => ended.expect("the job hangs"),
        () = fixture.run_fake_worker(&broker, WorkerBehavior::default()) => panic!("the worker died"),
    }
    let record = fixture.ledger.job(job.id).await.unwrap();
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(60, 60, 0, 0))
    );
    assert_eq!(fixture.verdicts(job.id).await.len(), 60);
}

#[tokio::test]
async fn a_steward_that_was_deposed_ends_nothing_before_it_is_chosen_again() {
    let fixture = Fixture::new(60).await;
    let broker = fixture.broker().await;
    let job = submit(&fixture, vec![]).await;
    let frozen = leader(&fixture, &broker, "frozen");
    // The leader is cut off, and another epoch begins meanwhile.
    let deposed = async {
        eventually(&fixture, job.id, |record| record.state == JobState::Running).await;
        let successor = fixture.ledger.begin_epoch(&job.pipeline, "successor").await;
        let work = fixture.run_fake_worker(&broker, WorkerBehavior::default());
        let ended = eventually(&fixture, job.id, |record| record.state.is_final());
        tokio::select! {
            () = work => panic!("the worker died"),
            _ = ended => successor.unwrap(),
        }
    };
    let ((), successor) = join(frozen.run(&job.pipeline), deposed).await;
    let latest = fixture.ledger.is_latest(&job.pipeline, successor).await;
    assert!(
        !latest.unwrap(),
        "a deposed coordinator ended the job in an epoch that was over"
    );
}

#[tokio::test]
async fn a_job_that_reads_what_another_did_not_write_fails_and_says_so() {
    let fixture = Fixture::new(3).await;
    let broker = fixture.broker().await;
    let mut earlier = fixture.assignment(Scope::Everything).record;
    earlier.state = JobState::Failure;
    fixture.ledger.save(&earlier).await.unwrap();
    let job = submit(&fixture, vec![earlier.id]).await;
    let leader = leader(&fixture, &broker, "one");
    timeout(DEADLINE, leader.run(&job.pipeline))
        .await
        .expect("the job hangs");
    let record = fixture.ledger.job(job.id).await.unwrap();
    assert_eq!(record.state, JobState::Failure);
    let reason = record
        .reason
        .unwrap()
        .replace(&earlier.id.to_string(), "JOB");
    insta::assert_snapshot!(reason, @"it reads the output of out, whose job JOB ended without one");
}

#[tokio::test]
async fn a_stopped_job_is_told_to_workers_and_ends_killed() {
    let fixture = Fixture::new(60).await;
    let broker = fixture.broker().await;
    let job = submit(&fixture, vec![]).await;
    let leader = leader(&fixture, &broker, "one");
    let mut listener = broker.listen("worker").await.unwrap();
    let stopping = async {
        eventually(&fixture, job.id, |record| record.state == JobState::Running).await;
        fixture.ledger.request_stop(job.id).await.unwrap();
        let mut told = Vec::new();
        while told.last() != Some(&Message::Control(Control::Stop { job: job.id })) {
            told.push(decode(&listener.next().await.unwrap().body).unwrap());
        }
        assert!(told.len() <= 2, "{told:?}");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = timeout(DEADLINE, leader.run(&job.pipeline)) => ended.expect("the job hangs"),
        () = stopping => {}
    }
    let record = fixture.ledger.job(job.id).await.unwrap();
    assert_eq!(
        (record.state, record.reason.as_deref()),
        (JobState::Killed, Some("stopped on request"))
    );
}

#[tokio::test]
async fn a_job_whose_input_is_missing_fails_and_the_next_one_is_taken_up() {
    let mut fixture = Fixture::new(3).await;
    let broker = fixture.broker().await;
    let good = fixture.spec.clone();
    fixture.spec["input"]["pfs"]["repo"] = "nowhere".into();
    let bad = submit(&fixture, vec![]).await;
    fixture.spec = good;
    let next = submit(&fixture, vec![]).await;
    let leader = leader(&fixture, &broker, "one");
    tokio::select! {
        ended = timeout(DEADLINE, leader.run(&next.pipeline)) => ended.expect("a job hangs"),
        () = fixture.run_fake_worker(&broker, WorkerBehavior::default()) => panic!("the worker died"),
    }
    let bad = fixture.ledger.job(bad.id).await.unwrap();
    assert_eq!(bad.state, JobState::Failure);
    assert!(bad.reason.unwrap().contains("nowhere"));
    assert_eq!(
        fixture.ledger.job(next.id).await.unwrap().state,
        JobState::Success
    );
}

#[tokio::test]
async fn the_service_takes_up_jobs_that_were_there_and_those_it_is_told_of() {
    let fixture = Fixture::new(5).await;
    let broker = fixture.broker().await;
    let earlier = submit(&fixture, vec![]).await;
    let service = LeaderService::new(leader(&fixture, &broker, "service"))
        .await
        .unwrap();
    let publishing = async {
        eventually(&fixture, earlier.id, |record| record.state.is_final()).await;
        let later = submit(&fixture, vec![]).await;
        let hint = Control::Submitted {
            pipeline: later.pipeline.clone(),
            job: later.id,
        };
        broker
            .broadcast(encode(&Message::Control(hint)).unwrap())
            .await
            .unwrap();
        eventually(&fixture, later.id, |record| record.state.is_final()).await
    };
    let record = tokio::select! {
        ended = service.run() => panic!("the service ended: {ended}"),
        () = fixture.run_fake_worker(&broker, WorkerBehavior::default()) => panic!("the worker died"),
        record = publishing => record,
    };
    assert_eq!(record.state, JobState::Success);
}

#[tokio::test]
async fn a_process_with_capacity_gets_the_pipeline_before_one_without() {
    let fixture = Fixture::new(5).await;
    let broker = fixture.broker().await;
    let job = submit(&fixture, vec![]).await;
    let busy = PipelineLeader {
        limit: Arc::new(Semaphore::new(0)),
        ..leader(&fixture, &broker, "busy")
    };
    let idle = leader(&fixture, &broker, "idle");
    let later = async {
        // The busy process comes first.
        sleep(Duration::from_millis(100)).await;
        timeout(DEADLINE, idle.run(&job.pipeline)).await
    };
    tokio::select! {
        () = busy.run(&job.pipeline) => {}
        ended = later => ended.expect("the busy process keeps the leadership"),
        () = fixture.run_fake_worker(&broker, WorkerBehavior::default()) => panic!("the worker died"),
    }
    let record = fixture.ledger.job(job.id).await.unwrap();
    assert_eq!(record.state, JobState::Success);
}

#[tokio::test]
async fn a_candidate_that_lost_its_capacity_passes_the_leadership_on() {
    let fixture = Fixture::new(5).await;
    let broker = fixture.broker().await;
    let job = submit(&fixture, vec![]).await;
    let limit = Arc::new(Semaphore::new(1));
    let (first, last) = (
        leader(&fixture, &broker, "first"),
        leader(&fixture, &broker, "last"),
    );
    let busy = PipelineLeader {
        limit: Arc::clone(&limit),
        ..leader(&fixture, &broker, "busy")
    };
    let reports = Queue::Reports(job.pipeline.clone());
    let candidates = async |count| {
        let look = async {
            while broker.depth(&reports).await.unwrap().consumers != count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let looked = timeout(DEADLINE, look).await;
        looked.unwrap_or_else(|_| panic!("there are not {count} candidates"));
    };
    // The order of the candidates is the order of their consumers.
    let busy_then_last = async {
        candidates(1).await;
        tokio::join!(busy.run(&job.pipeline), async {
            candidates(2).await;
            last.run(&job.pipeline).await;
        });
    };
    tokio::pin!(busy_then_last);
    tokio::select! {
        () = first.run(&job.pipeline) => panic!("there is no worker"),
        () = &mut busy_then_last => panic!("there is no worker"),
        () = candidates(3) => {}
    }
    let _permit = limit.acquire().await;
    // The first leader is gone now, and the busy process is the next candidate.
    let ended = eventually(&fixture, job.id, |record| record.state.is_final());
    tokio::select! {
        () = busy_then_last => panic!("the busy process goes before it has capacity"),
        () = fixture.run_fake_worker(&broker, WorkerBehavior::default()) => panic!("the worker died"),
        record = ended => assert_eq!(record.state, JobState::Success),
    }
}

#[tokio::test]
async fn a_stopped_job_ends_although_no_capacity_is_left() {
    let fixture = Fixture::new(5).await;
    let broker = fixture.broker().await;
    let job = submit(&fixture, vec![]).await;
    let busy = PipelineLeader {
        limit: Arc::new(Semaphore::new(0)),
        ..leader(&fixture, &broker, "busy")
    };
    fixture.ledger.request_stop(job.id).await.unwrap();
    timeout(DEADLINE, busy.run(&job.pipeline))
        .await
        .expect("the stop waits for capacity");
    let record = fixture.ledger.job(job.id).await.unwrap();
    assert_eq!(
        (record.state, record.reason.as_deref()),
        (JobState::Killed, Some("stopped on request"))
    );
}
