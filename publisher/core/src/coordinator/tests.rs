//! What a coordinator promises, over a real folder and the embedded queue.

use std::time::Duration;

use drover_shared::job::{CauseKey, Counts, JobState};
use drover_shared::queue::{Broker, Queue};
use drover_shared::wire::{Message, decode};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{CoordinateError, Pace, Scope, coordinate, resume};
use crate::testing::fixture::{Bench, DEADLINE, Habits, cause, counts};

#[tokio::test]
async fn a_job_ends_when_its_manifest_says_so_whatever_is_told_twice() {
    let bench = Bench::new(100).await;
    let record = bench
        .run(Habits {
            stutters: true,
            ..Habits::default()
        })
        .await;
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(100, 100, 0, 0))
    );
    assert!(record.duplicates >= 99, "{}", record.duplicates);
    assert_eq!(bench.verdicts(record.id).await.len(), 100);
    assert_eq!(
        bench.ledger.job(record.id).await.unwrap(),
        record,
        "the record is saved as it is told"
    );
}

#[tokio::test]
async fn the_next_job_skips_what_succeeded_even_in_a_failed_one() {
    let bench = Bench::new(20).await;
    let failed = bench
        .run(Habits {
            fails: Some("7"),
            ..Habits::default()
        })
        .await;
    assert_eq!(
        (failed.state, failed.datums),
        (JobState::Failure, counts(20, 18, 0, 2))
    );
    let reason = failed.reason.unwrap();
    assert_eq!(
        reason,
        "2 of 20 datums failed: exit 1: 'no such column' (2)"
    );
    assert_eq!(bench.ledger.failures(failed.id).await.unwrap().count(), 2);
    let next = bench.run(Habits::default()).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(20, 2, 18, 0))
    );
    let last = bench.run(Habits::default()).await;
    assert_eq!(
        (last.state, last.datums),
        (JobState::Success, counts(20, 0, 20, 0))
    );
}

#[tokio::test]
async fn an_empty_match_is_a_success() {
    let bench = Bench::new(0).await;
    let record = bench.run(Habits::default()).await;
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, Counts::default())
    );
}

#[tokio::test]
async fn wherever_a_job_is_cut_off_it_can_be_resumed_under_its_id() {
    for dies_silently in [false, true] {
        for dies_after in [1, 7, 8, 9, 50, 72, 99] {
            let bench = Bench::new(100).await;
            let habits = Habits {
                dies_after: Some(dies_after),
                dies_silently,
                ..Habits::default()
            };
            let assignment = bench.cut_off(habits).await;
            let record = bench.resume(assignment, Habits::default()).await;
            assert_eq!(
                (record.state, record.datums),
                (JobState::Success, counts(100, 100, 0, 0)),
                "{dies_after}"
            );
            assert_eq!(bench.verdicts(record.id).await.len(), 100);
        }
    }
}

#[tokio::test]
async fn a_job_that_was_cut_off_is_closed_by_the_next_which_skips_what_was_committed() {
    let bench = Bench::new(100).await;
    let habits = Habits {
        dies_after: Some(30),
        dies_silently: true,
        ..Habits::default()
    };
    let dead = bench.cut_off(habits).await.record.id;
    let next = bench.run(Habits::default()).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(100, 70, 30, 0))
    );
    let dead = bench.ledger.job(dead).await.unwrap();
    assert_eq!(
        (dead.state, dead.reason.as_deref()),
        (JobState::Killed, Some("interrupted"))
    );
    assert_eq!(dead.datums.processed, 30);
}

#[tokio::test]
async fn a_retry_runs_what_failed_and_takes_the_rest_over() {
    let bench = Bench::new(20).await;
    let failed = bench
        .run(Habits {
            fails: Some("7"),
            ..Habits::default()
        })
        .await;
    let retried = bench
        .run_scope(Scope::FailedOf(failed.id), Habits::default())
        .await
        .unwrap();
    assert_eq!(
        (retried.state, retried.datums),
        (JobState::Success, counts(20, 2, 18, 0))
    );
}

/// A hundred datums, of which those that end with 7 fail with one cause, and those that end with 3 with another.
async fn two_causes() -> (Bench, Scope) {
    let bench = Bench::new(100).await;
    let habits = Habits {
        fails: Some("7"),
        fails_otherwise: Some("3"),
        ..Habits::default()
    };
    let failed = bench.run(habits).await;
    assert_eq!(failed.datums, counts(100, 80, 0, 20));
    let group = CauseKey::of(&cause(1));
    let job = failed.id;
    (bench, Scope::GroupOf { job, group })
}

/// The datums that end with 7.
fn of_the_cause() -> Vec<u64> {
    (0..100).filter(|index| index % 10 == 7).collect()
}

#[tokio::test]
async fn a_retry_of_one_cause_runs_exactly_that_and_other_failures_stay() {
    let (bench, scope) = two_causes().await;
    let retried = bench.run_scope(scope, Habits::default()).await.unwrap();
    assert_eq!(
        (retried.state, retried.datums),
        (JobState::Failure, counts(100, 10, 80, 10))
    );
    insta::assert_snapshot!(retried.reason.unwrap(), @"10 of 100 datums failed: exit 2: 'no such column' (10); failed before and not run again: 10");
    assert_eq!(bench.ran(retried.id).await, of_the_cause());
    let cost = retried.stats.process_time_s;
    assert!((cost - 2.5).abs() < 1e-9, "ten datums cost {cost} s");
    let failures = bench.ledger.failures(retried.id).await.unwrap();
    assert_eq!(failures.summary(), "exit 2: 'no such column' (10)");
    let rest = Scope::FailedOf(retried.id);
    let rest = bench.run_scope(rest, Habits::default()).await.unwrap();
    assert_eq!(
        (rest.state, rest.datums),
        (JobState::Success, counts(100, 10, 90, 0))
    );
}

#[tokio::test]
async fn a_retry_of_the_only_cause_left_succeeds() {
    let (bench, first) = two_causes().await;
    let job = bench.run_scope(first, Habits::default()).await.unwrap().id;
    let group = CauseKey::of(&cause(2));
    let second = Scope::GroupOf { job, group };
    let record = bench.run_scope(second, Habits::default()).await.unwrap();
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(100, 10, 90, 0))
    );
}

#[tokio::test]
async fn wherever_a_retry_of_one_cause_is_cut_off_it_runs_exactly_that() {
    for dies_silently in [false, true] {
        for dies_after in [1, 2, 5, 9] {
            let (bench, scope) = two_causes().await;
            let habits = Habits {
                dies_after: Some(dies_after),
                dies_silently,
                ..Habits::default()
            };
            let assignment = bench.cut_off_scope(scope, habits).await;
            let record = bench.resume(assignment, Habits::default()).await;
            assert_eq!(
                (record.state, record.datums),
                (JobState::Failure, counts(100, 10, 80, 10)),
                "{dies_after}"
            );
            assert_eq!(bench.ran(record.id).await, of_the_cause());
        }
    }
}

#[tokio::test]
async fn what_was_taken_over_before_its_segment_was_known_is_taken_over_once() {
    let (bench, scope) = two_causes().await;
    let assignment = bench.assignment(scope);
    let (job, parent) = (assignment.record.id, scope.parent().unwrap());
    let record = &assignment.record;
    bench.ledger.open_job(record, &bench.spec).await.unwrap();
    let failed = bench.ledger.committed(parent, 3).await.unwrap().unwrap();
    let taken = [failed.taken_over(parent)];
    bench.ledger.take_over(job, &taken).await.unwrap();
    let record = bench.resume(assignment, Habits::default()).await;
    assert_eq!(record.datums, counts(100, 10, 80, 10));
    assert_eq!(bench.ran(job).await, of_the_cause());
}

#[tokio::test]
async fn a_retry_of_inputs_that_changed_is_refused_with_the_way_out() {
    let bench = Bench::new(20).await;
    let failed = bench
        .run(Habits {
            fails: Some("7"),
            ..Habits::default()
        })
        .await;
    std::fs::write(bench.folder.path().join("in/0017"), "something else").unwrap();
    let refused = bench
        .run_scope(Scope::FailedOf(failed.id), Habits::default())
        .await
        .unwrap_err();
    let text = refused.to_string().replace(&failed.id.to_string(), "JOB");
    insta::assert_snapshot!(text, @"the inputs of 1 datums of job JOB have changed since, first in:/0017; use `drover run` to take what is there now");
}

#[tokio::test]
async fn a_retry_of_a_job_whose_datums_are_not_all_known_is_refused() {
    let bench = Bench::new(3).await;
    let assignment = bench.assignment(Scope::Everything);
    bench
        .ledger
        .open_job(&assignment.record, &bench.spec)
        .await
        .unwrap();
    let refused = bench
        .run_scope(Scope::FailedOf(assignment.record.id), Habits::default())
        .await;
    assert!(
        matches!(refused, Err(CoordinateError::Incomplete { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_stopped_job_is_killed_with_its_reason_and_what_it_did_counts() {
    let bench = Bench::new(100).await;
    let assignment = bench.assignment(Scope::Everything);
    let job = assignment.record.id;
    let broker = bench.broker().await;
    let (pace_sender, pace) = watch::channel(Pace::Go);
    let tools = bench.tools(&broker, pace, &assignment.record);
    let mut reports = bench.reports(&broker).await;
    let stopping = async {
        let habits = Habits {
            dies_after: Some(10),
            ..Habits::default()
        };
        bench.pretend(&broker, habits).await;
        pace_sender.send_replace(Pace::Stop {
            reason: "enough".to_owned(),
        });
        std::future::pending::<()>().await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, coordinate(assignment, tools, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = stopping => panic!("the worker died"),
    };
    assert_eq!(
        (record.state, record.reason.as_deref()),
        (JobState::Killed, Some("enough"))
    );
    assert_eq!(record.datums.processed, 10);
    assert_eq!(bench.ledger.job(job).await.unwrap().state, JobState::Killed);
    let next = bench.run(Habits::default()).await;
    assert_eq!(next.datums, counts(100, 90, 10, 0));
}

#[tokio::test]
async fn a_datum_that_no_worker_could_take_fails_with_the_reason() {
    let bench = Bench::new(3).await;
    let assignment = bench.assignment(Scope::Everything);
    let job = assignment.record.id;
    let broker = bench.broker().await;
    let (_pace, pace) = watch::channel(Pace::Go);
    let tools = bench.tools(&broker, pace, &assignment.record);
    let mut reports = bench.reports(&broker).await;
    let refusing = async {
        let queue = Queue::Datums(bench.pipeline().name);
        let mut tasks = broker.consume(&queue, 1).await.unwrap();
        let refused = tasks.next().await.unwrap();
        assert!(refused.reject("version 9 is unknown here").await.unwrap());
        drop(tasks);
        bench.pretend(&broker, Habits::default()).await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, coordinate(assignment, tools, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = refusing => panic!("the worker died"),
    };
    assert_eq!(
        (record.state, record.datums),
        (JobState::Failure, counts(3, 2, 0, 1))
    );
    insta::assert_snapshot!(record.reason.unwrap(), @"1 of 3 datums failed: undeliverable: 'version 9 is unknown here' (1)");
    assert_eq!(bench.verdicts(job).await.len(), 3);
}

#[tokio::test]
async fn what_nobody_understands_is_parked_and_the_job_goes_on() {
    let bench = Bench::new(3).await;
    let assignment = bench.assignment(Scope::Everything);
    let pipeline = bench.pipeline().name;
    let broker = bench.broker().await;
    let (_pace, pace) = watch::channel(Pace::Go);
    let tools = bench.tools(&broker, pace, &assignment.record);
    let mut reports = bench.reports(&broker).await;
    let reports_queue = Queue::Reports(pipeline.clone());
    let strange: [&'static [u8]; 2] = [b"\xff\xfe", br#"{"kind":"gossip","version":7}"#];
    for body in strange {
        broker.publish(&reports_queue, body.into()).await.unwrap();
    }
    // What is still in the dead queue when the job ends is left to the next one.
    let working = async {
        while bench.ledger.dead_letters(&pipeline, 9).await.unwrap().0 < strange.len() {
            sleep(Duration::from_millis(5)).await;
        }
        bench.pretend(&broker, Habits::default()).await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, coordinate(assignment, tools, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = working => panic!("the worker died"),
    };
    assert_eq!(record.state, JobState::Success);
    let (count, parked) = bench.ledger.dead_letters(&pipeline, 9).await.unwrap();
    assert_eq!(count, 2);
    let texts: Vec<_> = parked.iter().map(|parked| parked.text.as_str()).collect();
    assert!(
        texts.contains(&r#"{"kind":"gossip","version":7}"#),
        "{texts:?}"
    );
}

#[tokio::test]
async fn a_resumed_job_says_that_its_datums_may_come_again() {
    let bench = Bench::new(20).await;
    let habits = Habits {
        dies_after: Some(5),
        ..Habits::default()
    };
    let mut assignment = bench.cut_off(habits).await;
    assignment.record = bench.ledger.job(assignment.record.id).await.unwrap();
    let broker = bench.broker().await;
    let (_pace, pace) = watch::channel(Pace::Go);
    let tools = bench.tools(&broker, pace, &assignment.record);
    let mut reports = bench.reports(&broker).await;
    let looking = async {
        let queue = Queue::Datums(bench.pipeline().name);
        let mut tasks = broker.consume(&queue, 1).await.unwrap();
        let delivery = tasks.next().await.unwrap();
        match decode(&delivery.body) {
            Ok(Message::Task(task)) => task.again,
            other => panic!("not a task: {other:?}"),
        }
    };
    let again = tokio::select! {
        ended = resume(assignment, tools, &mut *reports) => panic!("nobody works, but it ended: {ended:?}"),
        again = timeout(DEADLINE, looking) => again.expect("a task comes"),
    };
    assert!(again);
}
