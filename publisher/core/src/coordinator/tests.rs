//! Guarantees of the coordinator, over a real folder and the embedded queue.

mod power_cuts;
mod store_trouble;

use std::time::Duration;

use drover_shared::datum::VerdictState;
use drover_shared::id::JobId;
use drover_shared::job::{CauseKey, Counts, JobKey, JobState};
use drover_shared::queue::{Broker, Embedded, Queue};
use drover_shared::store::layout;
use drover_shared::wire::{
    Event, ManifestRange, Message, Rejection, Report, Task, TaskDatums, decode, encode_for,
};
use tokio::time::{sleep, timeout};

use super::{Control, CoordinateError, Scope, Snapshot, resume};
use crate::catalog;
use crate::testing::fixture::{DEADLINE, Fixture, WorkerBehavior, cause, control, counts};
use crate::testing::samples::verdict;

#[tokio::test]
async fn a_job_ends_when_its_manifest_says_so_whatever_is_told_twice() {
    let fixture = Fixture::new(100).await;
    let record = fixture
        .run(WorkerBehavior {
            stutters: true,
            ..WorkerBehavior::default()
        })
        .await;
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(100, 100, 0, 0))
    );
    assert!(record.duplicates >= 99, "{}", record.duplicates);
    assert_eq!(fixture.verdicts(record.id).await.len(), 100);
    assert_eq!(
        fixture.ledger.job(record.id).await.unwrap(),
        record,
        "the record is saved as it is told"
    );
}

#[tokio::test]
async fn verdicts_that_reports_refer_to_are_read_from_the_ledger() {
    let fixture = Fixture::new(30).await;
    let record = fixture
        .run(WorkerBehavior {
            refers: true,
            fails: Some("7"),
            ..WorkerBehavior::default()
        })
        .await;
    assert_eq!(
        (record.state, record.datums.outstanding()),
        (JobState::Failure, 0)
    );
    assert_eq!(fixture.verdicts(record.id).await.len(), 30);
}

#[tokio::test]
async fn the_verdicts_that_workers_of_an_older_version_report_are_read_from_the_ledger() {
    let fixture = Fixture::new(30).await;
    let record = fixture
        .run(WorkerBehavior {
            is_old: true,
            fails: Some("7"),
            ..WorkerBehavior::default()
        })
        .await;
    assert_eq!(record.state, JobState::Failure);
    assert_eq!(record.datums, counts(30, 27, 0, 3));
    assert_eq!(fixture.verdicts(record.id).await.len(), 30);
}

/// A report that a datum succeeded.
fn success(job: JobId, index: u64) -> Message {
    let verdict = Box::new(verdict(index, VerdictState::Success, &[]));
    let first = true;
    Message::Reports(vec![Report {
        job,
        redeliveries: 0,
        event: Event::Ended { verdict, first },
    }])
}

#[tokio::test]
async fn whoever_reaches_the_broker_without_the_key_of_the_job_ends_no_datum() {
    let fixture = Fixture::new(30).await;
    let assignment = fixture.assignment(Scope::Everything);
    let job = assignment.record.id;
    let broker = fixture.broker().await;
    let context = fixture.context(&broker, &control(), &assignment.record);
    let mut reports = fixture.reports(&broker).await;
    let other = JobKey::generate().unwrap();
    let forge = async {
        // The datums are known once the first one is published.
        while broker
            .depth(&Queue::Datums(fixture.pipeline().name))
            .await
            .unwrap()
            .ready
            == 0
        {
            sleep(Duration::from_millis(1)).await;
        }
        for key in [None, Some(&other)] {
            let forged = encode_for(&success(job, 7), key).unwrap();
            let queue = Queue::Reports(fixture.pipeline().name);
            broker.publish(&queue, forged).await.unwrap();
        }
        while fixture
            .ledger
            .dead_letters(&fixture.pipeline().name, 9)
            .await
            .unwrap()
            .0
            < 2
        {
            sleep(Duration::from_millis(1)).await;
        }
        fixture
            .run_fake_worker(
                &broker,
                WorkerBehavior {
                    fails: Some("7"),
                    ..WorkerBehavior::default()
                },
            )
            .await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, resume(assignment, context, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = forge => panic!("the worker died"),
    };
    assert_eq!(record.datums, counts(30, 27, 0, 3));
    let (_, letters) = fixture
        .ledger
        .dead_letters(&fixture.pipeline().name, 9)
        .await
        .unwrap();
    let mut reasons: Vec<_> = letters.into_iter().map(|letter| letter.reason).collect();
    reasons.sort();
    insta::assert_snapshot!(reasons.join("\n"));
}

#[tokio::test]
async fn the_next_job_skips_what_succeeded_even_in_a_failed_one() {
    let fixture = Fixture::new(20).await;
    let failed = fixture
        .run(WorkerBehavior {
            fails: Some("7"),
            ..WorkerBehavior::default()
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
    assert_eq!(fixture.ledger.failures(failed.id).await.unwrap().count(), 2);
    let next = fixture.run(WorkerBehavior::default()).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(20, 2, 18, 0))
    );
    let last = fixture.run(WorkerBehavior::default()).await;
    assert_eq!(
        (last.state, last.datums),
        (JobState::Success, counts(20, 0, 20, 0))
    );
}

#[tokio::test]
async fn an_empty_match_is_a_success() {
    let fixture = Fixture::new(0).await;
    let record = fixture.run(WorkerBehavior::default()).await;
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, Counts::default())
    );
}

#[tokio::test]
async fn wherever_a_job_is_cut_off_it_can_be_resumed_under_its_id() {
    for dies_silently in [false, true] {
        for dies_after in [1, 7, 8, 9, 50, 72, 99] {
            let fixture = Fixture::new(100).await;
            let behavior = WorkerBehavior {
                dies_after: Some(dies_after),
                dies_silently,
                ..WorkerBehavior::default()
            };
            let assignment = fixture.cut_off(behavior).await;
            let record = fixture.resume(assignment, WorkerBehavior::default()).await;
            assert_eq!(
                (record.state, record.datums),
                (JobState::Success, counts(100, 100, 0, 0)),
                "{dies_after}"
            );
            assert_eq!(fixture.verdicts(record.id).await.len(), 100);
        }
    }
}

#[tokio::test]
async fn a_job_that_was_cut_off_is_closed_by_the_next_which_skips_what_was_committed() {
    let fixture = Fixture::new(100).await;
    let behavior = WorkerBehavior {
        dies_after: Some(30),
        dies_silently: true,
        ..WorkerBehavior::default()
    };
    let dead = fixture.cut_off(behavior).await.record.id;
    let next = fixture.run(WorkerBehavior::default()).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(100, 70, 30, 0))
    );
    let dead = fixture.ledger.job(dead).await.unwrap();
    assert_eq!(
        (dead.state, dead.reason.as_deref()),
        (JobState::Killed, Some("interrupted"))
    );
    assert_eq!(dead.datums.processed, 30);
}

#[tokio::test]
async fn a_retry_runs_what_failed_and_takes_the_rest_over() {
    let fixture = Fixture::new(20).await;
    let failed = fixture
        .run(WorkerBehavior {
            fails: Some("7"),
            ..WorkerBehavior::default()
        })
        .await;
    let retried = fixture
        .run_scope(Scope::FailedOf(failed.id), WorkerBehavior::default())
        .await
        .unwrap();
    assert_eq!(
        (retried.state, retried.datums),
        (JobState::Success, counts(20, 2, 18, 0))
    );
}

/// A hundred datums: names ending in 7 fail with one cause, names ending in 3 with a second cause.
async fn two_causes() -> (Fixture, Scope) {
    let fixture = Fixture::new(100).await;
    let behavior = WorkerBehavior {
        fails: Some("7"),
        fails_otherwise: Some("3"),
        ..WorkerBehavior::default()
    };
    let failed = fixture.run(behavior).await;
    assert_eq!(failed.datums, counts(100, 80, 0, 20));
    let group = CauseKey::of(&cause(1));
    let job = failed.id;
    (fixture, Scope::GroupOf { job, group })
}

/// The datums that end with 7.
fn of_the_cause() -> Vec<u64> {
    (0..100).filter(|index| index % 10 == 7).collect()
}

#[tokio::test]
async fn a_retry_of_one_cause_runs_exactly_that_and_other_failures_stay() {
    let (fixture, scope) = two_causes().await;
    let retried = fixture
        .run_scope(scope, WorkerBehavior::default())
        .await
        .unwrap();
    assert_eq!(
        (retried.state, retried.datums),
        (JobState::Failure, counts(100, 10, 80, 10))
    );
    insta::assert_snapshot!(retried.reason.unwrap(), @"10 of 100 datums failed: exit 2: 'no such column' (10); failed before and not run again: 10");
    assert_eq!(fixture.ran(retried.id).await, of_the_cause());
    let cost = retried.stats.process_time_s;
    assert!((cost - 2.5).abs() < 1e-9, "ten datums cost {cost} s");
    let failures = fixture.ledger.failures(retried.id).await.unwrap();
    assert_eq!(failures.summary(), "exit 2: 'no such column' (10)");
    let rest = Scope::FailedOf(retried.id);
    let rest = fixture
        .run_scope(rest, WorkerBehavior::default())
        .await
        .unwrap();
    assert_eq!(
        (rest.state, rest.datums),
        (JobState::Success, counts(100, 10, 90, 0))
    );
}

#[tokio::test]
async fn a_retry_of_the_only_cause_left_succeeds() {
    let (fixture, first) = two_causes().await;
    let job = fixture
        .run_scope(first, WorkerBehavior::default())
        .await
        .unwrap()
        .id;
    let group = CauseKey::of(&cause(2));
    let second = Scope::GroupOf { job, group };
    let record = fixture
        .run_scope(second, WorkerBehavior::default())
        .await
        .unwrap();
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(100, 10, 90, 0))
    );
}

#[tokio::test]
async fn wherever_a_retry_of_one_cause_is_cut_off_it_runs_exactly_that() {
    for dies_silently in [false, true] {
        for dies_after in [1, 2, 5, 9] {
            let (fixture, scope) = two_causes().await;
            let behavior = WorkerBehavior {
                dies_after: Some(dies_after),
                dies_silently,
                ..WorkerBehavior::default()
            };
            let assignment = fixture.cut_off_scope(scope, behavior).await;
            let record = fixture.resume(assignment, WorkerBehavior::default()).await;
            assert_eq!(
                (record.state, record.datums),
                (JobState::Failure, counts(100, 10, 80, 10)),
                "{dies_after}"
            );
            assert_eq!(fixture.ran(record.id).await, of_the_cause());
        }
    }
}

#[tokio::test]
async fn what_was_taken_over_before_its_segment_was_known_is_taken_over_once() {
    let (fixture, scope) = two_causes().await;
    let assignment = fixture.assignment(scope);
    let (job, parent) = (assignment.record.id, scope.parent().unwrap());
    let record = &assignment.record;
    fixture
        .ledger
        .open_job(record, &fixture.spec)
        .await
        .unwrap();
    let failed = fixture.ledger.committed(parent, 3).await.unwrap().unwrap();
    let taken = [failed.taken_over(parent)];
    fixture.ledger.take_over(job, &taken).await.unwrap();
    let record = fixture.resume(assignment, WorkerBehavior::default()).await;
    assert_eq!(record.datums, counts(100, 10, 80, 10));
    assert_eq!(fixture.ran(job).await, of_the_cause());
}

#[tokio::test]
async fn a_retry_of_inputs_that_changed_is_refused_with_the_way_out() {
    let fixture = Fixture::new(20).await;
    let failed = fixture
        .run(WorkerBehavior {
            fails: Some("7"),
            ..WorkerBehavior::default()
        })
        .await;
    std::fs::write(fixture.folder.path().join("in/0017"), "something else").unwrap();
    let refused = fixture
        .run_scope(Scope::FailedOf(failed.id), WorkerBehavior::default())
        .await
        .unwrap_err();
    let text = refused.to_string().replace(&failed.id.to_string(), "JOB");
    insta::assert_snapshot!(text, @"the inputs or the code files of 1 datums of job JOB have changed since, first in:/0017; use `drover run` to take what is there now");
}

#[tokio::test]
async fn a_retry_of_a_job_whose_datums_are_not_all_known_is_refused() {
    let fixture = Fixture::new(3).await;
    let assignment = fixture.assignment(Scope::Everything);
    fixture
        .ledger
        .open_job(&assignment.record, &fixture.spec)
        .await
        .unwrap();
    let refused = fixture
        .run_scope(
            Scope::FailedOf(assignment.record.id),
            WorkerBehavior::default(),
        )
        .await;
    assert!(
        matches!(refused, Err(CoordinateError::Incomplete { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_stopped_job_is_killed_with_its_reason_and_what_it_did_counts() {
    let fixture = Fixture::new(100).await;
    let assignment = fixture.assignment(Scope::Everything);
    let job = assignment.record.id;
    let broker = fixture.broker().await;
    let control = control();
    let context = fixture.context(&broker, &control, &assignment.record);
    let mut reports = fixture.reports(&broker).await;
    let stopping = async {
        let behavior = WorkerBehavior {
            dies_after: Some(10),
            ..WorkerBehavior::default()
        };
        fixture.run_fake_worker(&broker, behavior).await;
        control.stop("enough".to_owned());
        std::future::pending::<()>().await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, resume(assignment, context, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = stopping => panic!("the worker died"),
    };
    assert_eq!(
        (record.state, record.reason.as_deref()),
        (JobState::Killed, Some("enough"))
    );
    assert_eq!(record.datums.processed, 10);
    assert_eq!(
        fixture.ledger.job(job).await.unwrap().state,
        JobState::Killed
    );
    let next = fixture.run(WorkerBehavior::default()).await;
    assert_eq!(next.datums, counts(100, 90, 10, 0));
}

#[tokio::test]
async fn a_datum_that_no_worker_could_take_fails_with_the_reason() {
    let fixture = Fixture::new(3).await;
    let assignment = fixture.assignment(Scope::Everything);
    let job = assignment.record.id;
    let broker = fixture.broker().await;
    let context = fixture.context(&broker, &control(), &assignment.record);
    let mut reports = fixture.reports(&broker).await;
    let refusing = async {
        let queue = Queue::Datums(fixture.pipeline().name);
        let mut tasks = broker.consume(&queue, 1).await.unwrap();
        let refused = tasks.next().await.unwrap();
        let key = fixture.ledger.job_key(job).await.unwrap();
        let reason = Rejection::text("version 9 is unknown here", &refused.body, key.as_ref());
        assert!(refused.reject(&reason).await.unwrap());
        drop(tasks);
        fixture
            .run_fake_worker(&broker, WorkerBehavior::default())
            .await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, resume(assignment, context, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = refusing => panic!("the worker died"),
    };
    assert_eq!(
        (record.state, record.datums),
        (JobState::Failure, counts(3, 2, 0, 1))
    );
    insta::assert_snapshot!(record.reason.unwrap(), @"1 of 3 datums failed: undeliverable: 'version 9 is unknown here' (1)");
    assert_eq!(fixture.verdicts(job).await.len(), 3);
}

#[tokio::test]
async fn a_copy_of_a_task_in_the_dead_queue_ends_no_datum() {
    let fixture = Fixture::new(3).await;
    let assignment = fixture.assignment(Scope::Everything);
    let pipeline = fixture.pipeline().name;
    let broker = fixture.broker().await;
    let context = fixture.context(&broker, &control(), &assignment.record);
    let mut reports = fixture.reports(&broker).await;
    let working = async {
        let mut tasks = broker.consume(&Queue::Datums(pipeline.clone()), 1).await;
        let task = tasks.as_mut().unwrap().next().await.unwrap();
        let dead = Queue::Dead(pipeline.clone());
        broker.publish(&dead, task.body.clone()).await.unwrap();
        task.requeue().await.unwrap();
        drop(tasks);
        while fixture.ledger.dead_letters(&pipeline, 9).await.unwrap().0 == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        fixture
            .run_fake_worker(&broker, WorkerBehavior::default())
            .await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, resume(assignment, context, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = working => panic!("the worker died"),
    };
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(3, 3, 0, 0))
    );
}

#[tokio::test]
async fn what_nobody_understands_is_parked_and_the_job_goes_on() {
    let fixture = Fixture::new(3).await;
    let assignment = fixture.assignment(Scope::Everything);
    let pipeline = fixture.pipeline().name;
    let broker = fixture.broker().await;
    let context = fixture.context(&broker, &control(), &assignment.record);
    let mut reports = fixture.reports(&broker).await;
    let reports_queue = Queue::Reports(pipeline.clone());
    let strange: [&'static [u8]; 2] = [b"\xff\xfe", br#"{"kind":"gossip","version":7}"#];
    for body in strange {
        broker.publish(&reports_queue, body.into()).await.unwrap();
    }
    // The job must not end before the dead letters are saved; the next job would save the rest.
    let working = async {
        while fixture.ledger.dead_letters(&pipeline, 9).await.unwrap().0 < strange.len() {
            sleep(Duration::from_millis(5)).await;
        }
        fixture
            .run_fake_worker(&broker, WorkerBehavior::default())
            .await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, resume(assignment, context, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = working => panic!("the worker died"),
    };
    assert_eq!(record.state, JobState::Success);
    let (count, parked) = fixture.ledger.dead_letters(&pipeline, 9).await.unwrap();
    assert_eq!(count, 2);
    let texts: Vec<_> = parked.iter().map(|parked| parked.text.as_str()).collect();
    assert!(
        texts.contains(&r#"{"kind":"gossip","version":7}"#),
        "{texts:?}"
    );
}

#[tokio::test]
async fn a_dead_letter_without_the_key_of_the_job_ends_nothing() {
    let fixture = Fixture::new(3).await;
    let assignment = fixture.assignment(Scope::Everything);
    let pipeline = fixture.pipeline().name;
    let broker = fixture.broker().await;
    let context = fixture.context(&broker, &control(), &assignment.record);
    let mut reports = fixture.reports(&broker).await;
    let other = JobKey::generate().unwrap();
    let task = Message::Task(Task {
        job: assignment.record.id,
        datums: TaskDatums::Manifest(ManifestRange {
            segment: 0,
            first: 0,
            count: 3,
        }),
        unit: None,
        total: None,
        again: false,
        copy: false,
        store: None,
        term: None,
        trace: None,
    });
    for key in [None, Some(&other)] {
        let body = encode_for(&task, key).unwrap();
        let dead = Queue::Dead(pipeline.clone());
        broker.publish(&dead, body).await.unwrap();
    }
    let working = async {
        while fixture.ledger.dead_letters(&pipeline, 9).await.unwrap().0 < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        fixture
            .run_fake_worker(&broker, WorkerBehavior::default())
            .await;
    };
    let record = tokio::select! {
        ended = timeout(DEADLINE, resume(assignment, context, &mut *reports)) => ended.expect("the job hangs").unwrap(),
        () = working => panic!("the worker died"),
    };
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(3, 3, 0, 0))
    );
}

#[tokio::test]
async fn a_resumed_job_says_that_its_datums_may_come_again() {
    let fixture = Fixture::new(20).await;
    let behavior = WorkerBehavior {
        dies_after: Some(5),
        ..WorkerBehavior::default()
    };
    let mut assignment = fixture.cut_off(behavior).await;
    assignment.record = fixture.ledger.job(assignment.record.id).await.unwrap();
    let broker = fixture.broker().await;
    let context = fixture.context(&broker, &control(), &assignment.record);
    let mut reports = fixture.reports(&broker).await;
    let looking = async {
        let queue = Queue::Datums(fixture.pipeline().name);
        let mut tasks = broker.consume(&queue, 1).await.unwrap();
        let delivery = tasks.next().await.unwrap();
        match decode(&delivery.body) {
            Ok(Message::Task(task)) => task.again,
            other => panic!("not a task: {other:?}"),
        }
    };
    let again = tokio::select! {
        ended = resume(assignment, context, &mut *reports) => panic!("nobody works, but it ended: {ended:?}"),
        again = timeout(DEADLINE, looking) => again.expect("a task comes"),
    };
    assert!(again);
}

const WRITES: WorkerBehavior = WorkerBehavior {
    fails: None,
    fails_otherwise: None,
    writes: true,
    stutters: false,
    refers: false,
    is_old: false,
    dies_after: None,
    dies_silently: false,
};

#[tokio::test]
async fn lost_output_of_skipped_datums_is_done_anew_in_the_same_job() {
    let fixture = Fixture::new(20).await;
    let first = fixture.run(WRITES).await;
    fixture.assert_output(20);
    for index in [3, 17] {
        fixture.lose_output(first.id, index).await;
    }
    let next = fixture.run(WRITES).await;
    assert_eq!(
        (next.state, next.datums, next.reason),
        (JobState::Success, counts(20, 2, 18, 0), None)
    );
    fixture.assert_output(20);
    let last = fixture.run(WRITES).await;
    assert_eq!(
        (last.state, last.datums),
        (JobState::Success, counts(20, 0, 20, 0)),
        "the new output counts as done"
    );
    fixture.assert_output(20);
}

#[tokio::test]
async fn output_lost_before_the_publication_is_done_anew_in_the_same_job() {
    let fixture = Fixture::new(20).await;
    let dies = WorkerBehavior {
        dies_after: Some(20),
        dies_silently: true,
        ..WRITES
    };
    let assignment = fixture.cut_off(dies).await;
    fixture.lose_output(assignment.record.id, 5).await;
    let record = fixture.resume(assignment, WRITES).await;
    assert_eq!(
        (record.state, record.datums),
        (JobState::Success, counts(20, 20, 0, 0))
    );
    fixture.assert_output(20);
    let next = fixture.run(WRITES).await;
    assert_eq!(next.datums, counts(20, 0, 20, 0));
}

#[tokio::test]
async fn a_job_interrupted_while_it_does_lost_output_anew_can_be_resumed() {
    for dies_silently in [false, true] {
        let fixture = Fixture::new(20).await;
        let first = fixture.run(WRITES).await;
        for index in [3, 9, 17] {
            fixture.lose_output(first.id, index).await;
        }
        let dies = WorkerBehavior {
            dies_after: Some(1),
            dies_silently,
            ..WRITES
        };
        let assignment = fixture.cut_off(dies).await;
        let record = fixture.resume(assignment, WRITES).await;
        assert_eq!(
            (record.state, record.datums),
            (JobState::Success, counts(20, 3, 17, 0))
        );
        fixture.assert_output(20);
    }
}

#[tokio::test]
async fn lost_output_whose_datum_now_fails_fails_the_job_and_leaves_the_folder() {
    let fixture = Fixture::new(20).await;
    let first = fixture.run(WRITES).await;
    let staged = layout::staged_file(first.id, "claim-7", 0);
    fixture.ledger.store().delete(&staged).await.unwrap();
    std::fs::remove_file(fixture.folder.path().join("in/0003")).unwrap();
    std::fs::remove_file(fixture.folder.path().join("out/0007")).unwrap();
    std::fs::write(fixture.folder.path().join("out/0007"), "/0007").unwrap();
    let fails = WorkerBehavior {
        fails: Some("7"),
        ..WRITES
    };
    let failed = fixture.run(fails).await;
    assert_eq!(
        (failed.state, failed.datums),
        (JobState::Failure, counts(19, 0, 18, 1))
    );
    fixture.assert_output(20);
    let next = fixture.run(WRITES).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(19, 1, 18, 0))
    );
}

#[tokio::test]
async fn an_output_edited_in_place_is_made_anew() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new(20).await;
    fixture.run(WRITES).await;
    let edited = fixture.folder.path().join("out/0004");
    std::fs::set_permissions(&edited, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&edited, "/edit").unwrap();
    let next = fixture.run(WRITES).await;
    assert_eq!(next.state, JobState::Success, "{:?}", next.reason);
    fixture.assert_output(20);
    let last = fixture.run(WRITES).await;
    assert_eq!(last.datums, counts(20, 0, 20, 0));
    fixture.assert_output(20);
}

#[tokio::test]
async fn a_touched_output_is_not_done_anew() {
    let fixture = Fixture::new(20).await;
    fixture.run(WRITES).await;
    let touched = std::fs::File::open(fixture.folder.path().join("out/0004")).unwrap();
    touched
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    drop(touched);
    let next = fixture.run(WRITES).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(20, 0, 20, 0))
    );
    fixture.assert_output(20);
}

#[tokio::test]
async fn a_copied_store_does_nothing_anew() {
    let fixture = Fixture::new(20).await;
    let first = fixture.run(WRITES).await;
    // A copy has other inodes and times, and no links.
    for index in 0..20 {
        let staged = layout::staged_file(first.id, &format!("claim-{index}"), 0);
        let staged = fixture.ledger.store().local_path(&staged).unwrap();
        for path in [
            staged,
            fixture.folder.path().join(format!("out/{index:04}")),
        ] {
            let copy = path.with_extension("copy");
            std::fs::copy(&path, &copy).unwrap();
            std::fs::rename(&copy, &path).unwrap();
        }
    }
    let next = fixture.run(WRITES).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(20, 0, 20, 0))
    );
    fixture.assert_output(20);
}

#[tokio::test]
async fn a_job_waits_for_another_writer_of_its_output_folder_and_can_be_stopped_meanwhile() {
    for is_stopped in [false, true] {
        let fixture = Fixture::new(5).await;
        let assignment = fixture.assignment(Scope::Everything);
        let pipeline = fixture.pipeline().name;
        let lock = fixture
            .ledger
            .try_lock_output(&pipeline, "a frozen process");
        let lock = lock.await.unwrap().expect("the lock is free");
        let broker = fixture.broker().await;
        let control = control();
        let context = fixture.context(&broker, &control, &assignment.record);
        let mut shown = context.watch.subscribe();
        let mut reports = fixture.reports(&broker).await;
        let releasing = async {
            let is_publishing = |job: &Snapshot| job.record.state == JobState::Publishing;
            shown.wait_for(is_publishing).await.unwrap();
            sleep(Duration::from_millis(50)).await;
            let folder = fixture.folder.path().join("out");
            assert!(!folder.exists(), "written without the lock");
            if is_stopped {
                let reason = "enough".to_owned();
                control.stop(reason);
            } else {
                drop(lock);
            }
            std::future::pending::<()>().await;
        };
        let record = tokio::select! {
            ended = timeout(DEADLINE, resume(assignment, context, &mut *reports)) => ended.expect("the job hangs").unwrap(),
            () = fixture.run_fake_worker(&broker, WRITES) => panic!("the worker died"),
            () = releasing => unreachable!("it waits"),
        };
        let (state, files) = if is_stopped {
            (JobState::Killed, 0)
        } else {
            (JobState::Success, 5)
        };
        assert_eq!(record.state, state);
        if files > 0 {
            fixture.assert_output(files);
        }
    }
}

#[tokio::test]
async fn a_publication_that_meets_passing_trouble_goes_to_the_next_leader() {
    let fixture = Fixture::new(5).await;
    let assignment = fixture.assignment(Scope::Everything);
    let broker = fixture.broker().await;
    let control = control();
    let mut context = fixture.context(&broker, &control, &assignment.record);
    context.fence = fixture.fence("first").await;
    context.scratch = fixture.scratch.path().join("swept");
    let mut reports = fixture.reports(&broker).await;
    let ended = tokio::select! {
        ended = timeout(DEADLINE, resume(assignment.clone(), context, &mut *reports)) => ended.expect("the job hangs"),
        () = fixture.run_fake_worker(&broker, WRITES) => panic!("the worker died"),
    };
    assert!(
        matches!(ended, Err(CoordinateError::Machine(_))),
        "{ended:?}"
    );
    let record = fixture.ledger.job(assignment.record.id).await.unwrap();
    assert!(!record.state.is_final(), "{record:?}");
    let record = fixture.resume(assignment, WRITES).await;
    assert_eq!(record.state, JobState::Success);
    fixture.assert_output(5);
}

#[tokio::test]
async fn a_deposed_leader_does_not_say_that_its_job_failed() {
    let fixture = Fixture::new(5).await;
    let assignment = fixture.assignment(Scope::Everything);
    let pipeline = fixture.pipeline().name;
    let broker = fixture.broker().await;
    let control = control();
    let mut context = fixture.context(&broker, &control, &assignment.record);
    context.fence = fixture.fence("first").await;
    let mut reports = fixture.reports(&broker).await;
    let deposing = async {
        let queue = Queue::Datums(pipeline);
        while broker.depth(&queue).await.unwrap().ready == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        fixture.fence("second").await;
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = timeout(DEADLINE, resume(assignment.clone(), context, &mut *reports)) => ended.expect("the job hangs"),
        () = deposing => unreachable!("it waits"),
    };
    assert!(matches!(ended, Err(CoordinateError::Deposed)), "{ended:?}");
    let record = fixture.ledger.job(assignment.record.id).await.unwrap();
    assert!(!record.state.is_final(), "{record:?}");
}

/// Every datum fails.
const HOPELESS: WorkerBehavior = WorkerBehavior {
    fails: Some(""),
    ..WRITES
};

#[tokio::test]
async fn a_job_whose_first_datums_all_fail_alike_ends_there() {
    let fixture = Fixture::new(500).await;
    let failed = fixture.run(HOPELESS).await;
    assert_eq!(failed.state, JobState::Failure);
    assert!(
        (20..100).contains(&failed.datums.failed),
        "{:?}",
        failed.datums
    );
    let reason = failed.reason.unwrap();
    assert!(
        reason.starts_with("the first 20 datums all failed alike: exit 1"),
        "{reason}"
    );
    assert!(reason.contains("--keep-going"), "{reason}");
    let next = fixture.run(WRITES).await;
    assert_eq!(
        (next.state, next.datums),
        (JobState::Success, counts(500, 500, 0, 0))
    );
}

#[tokio::test]
async fn a_job_that_keeps_going_fails_every_datum() {
    let fixture = Fixture::new(100).await;
    let mut assignment = fixture.assignment(Scope::Everything);
    assignment.keep_going = true;
    let record = fixture.run_assignment(assignment, HOPELESS).await.unwrap();
    assert_eq!(
        (record.state, record.datums),
        (JobState::Failure, counts(100, 0, 0, 100))
    );
}

#[tokio::test]
async fn a_job_is_halted_by_its_failures_or_its_successes() {
    let fails = WorkerBehavior {
        fails: Some("3"),
        ..WRITES
    };
    let rows = [
        (
            "now,fail=2",
            JobState::Failure,
            "halted by now,fail=2: 2 of 500 datums failed: exit 1",
        ),
        (
            "soon,fail=2",
            JobState::Failure,
            "halted by soon,fail=2: 2 of 500 datums failed: exit 1",
        ),
        (
            "now,success=2",
            JobState::Killed,
            "halted by now,success=2: 2 of ",
        ),
        ("soon,done=1%", JobState::Killed, "halted by soon,done=1%: "),
    ];
    for (halt, state, reason) in rows {
        let fixture = Fixture::new(500).await;
        let mut assignment = fixture.assignment(Scope::Everything);
        assignment.halt = Some(halt.parse().unwrap());
        let job = assignment.record.id;
        let behavior = if state == JobState::Failure {
            fails
        } else {
            WRITES
        };
        let broker = fixture.broker().await;
        let control = control();
        let context = fixture.context(&broker, &control, &assignment.record);
        let mut reports = fixture.reports(&broker).await;
        let record = tokio::select! {
            ended = timeout(DEADLINE, resume(assignment, context, &mut *reports)) => ended.expect("the job hangs").unwrap(),
            () = fixture.run_fake_worker(&broker, behavior) => panic!("the worker died"),
            () = tell_of_closing(&fixture, &broker, &control, job) => panic!("it ends"),
        };
        assert_eq!(record.state, state, "{halt}");
        assert_eq!(record.ended_as_told, state == JobState::Killed, "{halt}");
        let told = record.reason.unwrap_or_default();
        assert!(told.starts_with(reason), "{halt}: {told}");
        assert!(record.datums.ended() < 400, "{halt}: {:?}", record.datums);
        let next = fixture.run(WRITES).await;
        assert_eq!(next.state, JobState::Success, "{halt}");
        // A worker that is killed late has committed more.
        assert!(next.datums.skipped >= record.datums.processed, "{halt}");
    }
}

/// Tells the workers that no other datum may begin, as the leader of the pipeline does.
async fn tell_of_closing(fixture: &Fixture, broker: &Embedded, control: &Control, job: JobId) {
    control.closed().await;
    let told = catalog::broadcast_close(broker, &fixture.ledger, job);
    told.await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_retry_of_a_job_that_did_lost_output_anew_has_each_datum_once() {
    let fixture = Fixture::new(20).await;
    let first = fixture.run(WRITES).await;
    for index in [3, 7] {
        fixture.lose_output(first.id, index).await;
    }
    let fails = WorkerBehavior {
        fails: Some("7"),
        ..WRITES
    };
    let failed = fixture.run(fails).await;
    assert_eq!(
        (failed.state, failed.datums),
        (JobState::Failure, counts(20, 1, 18, 1))
    );
    let retried = fixture.run_scope(Scope::FailedOf(failed.id), WRITES).await;
    let retried = retried.unwrap();
    assert_eq!(
        (retried.state, retried.datums),
        (JobState::Success, counts(20, 1, 19, 0))
    );
    fixture.assert_output(20);
}
