//! Random histories: needed files stay, all other files go, and an interrupted pass loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::{Ledger, ManifestEntry, Scope, Submission};
use drover_shared::pipeline::RetentionLimits;
use drover_shared::store::{Location, Store, layout};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use tokio::runtime::Runtime;

use super::{Effort, Removed, RetentionPass};
use crate::catalog;
use crate::testing::samples::{datum, datum_id, verdict};

const DAY: Duration = Duration::from_hours(24);

/// The end of a job of a history.
#[derive(Clone, Copy, Debug)]
enum End {
    Success,
    /// Every datum with an odd number fails, unless it was done before.
    Failure,
    /// The second half of the datums has no verdict, and nothing was folded.
    Killed,
}

/// A job of a history: the work in its inputs, and its end.
#[derive(Clone, Debug)]
struct PastJob {
    work: Vec<u64>,
    end: End,
}

impl PastJob {
    /// The verdict on the datum at the index, unless it is skipped.
    fn verdict(&self, at: usize) -> Option<VerdictState> {
        match self.end {
            End::Failure if self.work[at] % 2 == 1 => Some(VerdictState::Failed),
            End::Killed if at >= self.work.len() / 2 => None,
            _ => Some(VerdictState::Success),
        }
    }
}

fn pipeline() -> PipelineName {
    "out".parse().unwrap()
}

/// Writes a job as a coordinator does.
async fn write(ledger: &Ledger, job: &PastJob) -> JobId {
    let done = ledger.done_index(&pipeline()).await.unwrap();
    let mut record = JobRecord::new(JobId::generate(), pipeline(), Timestamp::now());
    ledger.open_job(&record, &json!({})).await.unwrap();
    let mut entries = Vec::new();
    let mut verdicts: Vec<Verdict> = Vec::new();
    for (index, work) in (0..).zip(&job.work) {
        let mut datum = datum(index, 1);
        datum.id = datum_id(*work);
        let done = done.get(datum.id);
        let (id, at) = (datum.id, usize::try_from(index).unwrap());
        entries.push(ManifestEntry {
            datum,
            done,
            redo: None,
        });
        let Some(state) = job.verdict(at) else {
            continue;
        };
        if done.is_some() {
            continue;
        }
        let mut verdict = verdict(index, state, &[("/file", 1)]);
        verdict.datum = id;
        let staged = layout::staged_file(record.id, &verdict.staged, 0);
        ledger
            .store()
            .put(&staged, Bytes::from(work.to_string()))
            .await
            .unwrap();
        let log = layout::log(record.id, index, "claim.1.log");
        ledger
            .store()
            .put(&log, Bytes::from_static(b"a line"))
            .await
            .unwrap();
        verdicts.push(verdict);
    }
    if !entries.is_empty() {
        let segment = ledger.write_manifest(record.id, &entries).await.unwrap();
        match job.end {
            End::Killed => {
                for verdict in &verdicts {
                    ledger.commit(record.id, verdict).await.unwrap();
                }
            }
            _ => ledger.seal(record.id, segment, &verdicts).await.unwrap(),
        }
    }
    ledger
        .complete_manifest(record.id, entries.len() as u64)
        .await
        .unwrap();
    record.state = match job.end {
        End::Success => JobState::Success,
        End::Failure => JobState::Failure,
        End::Killed => JobState::Killed,
    };
    record.finished = Some(Timestamp::now());
    ledger.save(&record).await.unwrap();
    if !matches!(job.end, End::Killed) {
        ledger.fold(&pipeline(), record.id).await.unwrap();
    }
    record.id
}

async fn pass(ledger: &Ledger, jobs: u32, effort: Effort, dry_run: bool) -> Removed {
    let pass = RetentionPass {
        ledger,
        pipeline: &pipeline(),
        limits: RetentionLimits {
            jobs,
            logs: 30 * DAY,
            failed_logs: 90 * DAY,
        },
        effort,
        dry_run,
    };
    pass.run(ledger.jobs_of(&pipeline()).await.unwrap())
        .await
        .unwrap()
}

/// Where the output of a piece of work lies, as the next job finds it; none if that job would do the work anew.
async fn output_of(ledger: &Ledger, work: u64) -> Option<String> {
    let done = ledger
        .done_index(&pipeline())
        .await
        .unwrap()
        .get(datum_id(work))?;
    let verdict = ledger.committed(done.job, done.index).await.unwrap()?;
    let segments = ledger.segments(done.job).await.unwrap();
    assert!(segments.iter().any(|segment| segment.contains(done.index)));
    let staged = layout::staged_file(done.job, &verdict.staged, 0);
    let output = ledger.store().get(&staged).await.ok()?;
    Some(String::from_utf8(output.to_vec()).unwrap())
}

/// The work that must stay skippable, and the jobs that must stay: the newest `limit`, and the newest success. Work that
/// was done after the newest success stays as well.
fn needed(history: &[(JobId, PastJob)], limit: usize) -> (BTreeSet<u64>, Vec<JobId>) {
    let is_success = |(_, job): &(JobId, PastJob)| matches!(job.end, End::Success);
    let success = history.iter().rposition(is_success);
    let surplus = history.len().saturating_sub(limit);
    let mut done = BTreeSet::new();
    let mut work = BTreeSet::new();
    let mut jobs = Vec::new();
    for (at, (id, job)) in history.iter().enumerate() {
        let is_kept = at >= surplus || Some(at) == success;
        if is_kept {
            jobs.push(*id);
        }
        for (index, each) in job.work.iter().enumerate() {
            let is_new = job.verdict(index) == Some(VerdictState::Success) && done.insert(*each);
            if is_kept || is_new && success.is_none_or(|success| at > success) {
                work.insert(*each);
            }
        }
    }
    (work, jobs)
}

/// Everything in the store that is a file of a job.
async fn staged(ledger: &Ledger) -> Vec<String> {
    let usage = super::usage(ledger).await.unwrap();
    let mut staged = Vec::new();
    for job in usage.into_iter().filter_map(|usage| usage.job) {
        let folder = layout::job(job).join("staged").unwrap();
        for name in ledger.store().names(&folder).await.unwrap() {
            let output = ledger
                .store()
                .get(&folder.join(&name).unwrap())
                .await
                .unwrap();
            staged.push(String::from_utf8(output.to_vec()).unwrap());
        }
    }
    staged
}

fn histories() -> impl Strategy<Value = Vec<PastJob>> {
    let end = prop_oneof![4 => Just(End::Success), 1 => Just(End::Failure), 1 => Just(End::Killed)];
    let work = prop::collection::btree_set(0u64..10, 0..6);
    let job = (work, end).prop_map(|(work, end)| PastJob {
        work: work.into_iter().collect(),
        end,
    });
    prop::collection::vec(job, 1..9)
}

async fn in_folder() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::folder(folder.path()).unwrap();
    let ledger = Ledger::new(Store::open(&location).await.unwrap());
    (folder, ledger)
}

/// Checks the store after a thorough pass.
async fn check(
    ledger: &Ledger,
    history: &[(JobId, PastJob)],
    limit: usize,
    before: &BTreeMap<u64, String>,
) {
    let (work, jobs) = needed(history, limit);
    assert_eq!(ledger.jobs().await.unwrap(), jobs);
    assert_eq!(ledger.jobs_of(&pipeline()).await.unwrap(), jobs);
    for (work_id, output) in before.iter().filter(|(id, _)| work.contains(id)) {
        let found = output_of(ledger, *work_id).await;
        assert_eq!(found.as_ref(), Some(output), "work {work_id} is lost");
    }
    assert!(
        ledger
            .marked_for_sweep(&pipeline())
            .await
            .unwrap()
            .is_empty()
    );
    let expired: BTreeSet<JobId> = ledger
        .expired_jobs()
        .await
        .unwrap()
        .into_iter()
        .map(|(job, _)| job)
        .collect();
    let done = ledger.done_index(&pipeline()).await.unwrap();
    let used: BTreeSet<JobId> = done.references().map(|work| work.job).collect();
    assert!(
        expired.is_subset(&used),
        "an expired job stays without a reason"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_a_kept_job_or_the_output_uses_stays_and_nothing_else(
        history in histories(), limit in 1usize..5, cut in 0usize..60,
    ) {
        Runtime::new().unwrap().block_on(async {
            let (_folder, ledger) = in_folder().await;
            let mut jobs = Vec::new();
            for job in history {
                jobs.push((write(&ledger, &job).await, job));
            }
            let mut before = BTreeMap::new();
            for work in 0..10 {
                if let Some(output) = output_of(&ledger, work).await {
                    before.insert(work, output);
                }
            }
            let most = u32::try_from(limit).unwrap();
            let told = pass(&ledger, most, Effort::Thorough, true).await;
            assert_eq!(ledger.jobs().await.unwrap().len(), jobs.len(), "a dry run removed a job");
            let (work, kept) = needed(&jobs, limit);
            assert_eq!(told.jobs, (jobs.len() - kept.len()) as u64);
            cut_off(pass(&ledger, most, Effort::Thorough, false), cut).await;
            for (id, output) in before.iter().filter(|(id, _)| work.contains(id)) {
                let found = output_of(&ledger, *id).await;
                assert_eq!(found.as_ref(), Some(output), "work {id} is lost when cut off");
            }
            pass(&ledger, most, Effort::Thorough, false).await;
            check(&ledger, &jobs, limit, &before).await;
            let again = pass(&ledger, most, Effort::Thorough, false).await;
            assert_eq!((again.jobs, again.space.len()), (0, 0), "the second pass found {again:?}");
        });
    }
}

/// Drops the future after so many polls. The operation of the store that is under way then may still end.
async fn cut_off(passing: impl Future<Output = Removed>, polls: usize) {
    let mut passing = pin!(passing);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        passing.as_mut().poll(context).map(drop)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(2)).await;
}

fn success(work: &[u64]) -> PastJob {
    PastJob {
        work: work.to_vec(),
        end: End::Success,
    }
}

fn soon() -> Effort {
    Effort::Until(Instant::now() + Duration::from_secs(60))
}

#[tokio::test]
async fn superseded_outputs_go_with_their_job() {
    for bounded in [true, false] {
        let ledger = Ledger::new(Store::in_memory());
        for job in [&[1, 2][..], &[1, 3], &[1, 4], &[1, 5]] {
            write(&ledger, &success(job)).await;
        }
        let effort = if bounded { soon() } else { Effort::Thorough };
        let removed = pass(&ledger, 2, effort, false).await;
        assert_eq!((removed.jobs, removed.kept_jobs, removed.work), (2, 2, 2));
        let mut left = staged(&ledger).await;
        left.sort();
        assert_eq!(left, ["1", "4", "5"], "bounded: {bounded}");
        assert_eq!(output_of(&ledger, 1).await.as_deref(), Some("1"));
        assert_eq!(output_of(&ledger, 2).await, None);
    }
}

#[tokio::test]
async fn a_pass_without_time_forgets_nothing_and_the_next_one_goes_on() {
    let ledger = Ledger::new(Store::in_memory());
    for work in 0..6 {
        write(&ledger, &success(&[work])).await;
    }
    let removed = pass(&ledger, 2, Effort::Until(Instant::now()), false).await;
    assert_eq!((removed.jobs, removed.work), (4, 0));
    assert_eq!(ledger.jobs().await.unwrap().len(), 2);
    assert_eq!(staged(&ledger).await.len(), 6);
    pass(&ledger, 2, soon(), false).await;
    assert_eq!(staged(&ledger).await.len(), 2);
}

#[tokio::test]
async fn a_job_that_was_hidden_but_is_still_listed_is_removed_for_good() {
    let ledger = Ledger::new(Store::in_memory());
    let first = write(&ledger, &success(&[1])).await;
    let second = write(&ledger, &success(&[2])).await;
    ledger.expire(&pipeline(), first).await.unwrap();
    ledger.note_job(&pipeline(), first).await.unwrap();
    pass(&ledger, 1, soon(), false).await;
    assert_eq!(ledger.jobs_of(&pipeline()).await.unwrap(), [second]);
    assert_eq!(ledger.expired_jobs().await.unwrap(), []);
}

#[tokio::test]
async fn a_job_that_an_unfinished_one_refers_to_stays() {
    let ledger = Ledger::new(Store::in_memory());
    let mut jobs = Vec::new();
    for work in 0..4 {
        jobs.push(write(&ledger, &success(&[work])).await);
    }
    let waiting = JobRecord::new(JobId::generate(), "next".parse().unwrap(), Timestamp::now());
    let submission = Submission {
        scope: Scope::FailedOf(jobs[1]),
        reprocess: false,
        keep_going: false,
        halt: None,
        after: vec![jobs[2]],
        fingerprint: None,
        trace: None,
    };
    ledger
        .submit(&waiting, &json!({}), &submission)
        .await
        .unwrap();
    pass(&ledger, 1, Effort::Thorough, false).await;
    assert_eq!(
        ledger.jobs().await.unwrap(),
        [jobs[1], jobs[2], jobs[3], waiting.id]
    );
}

#[tokio::test]
async fn a_damaged_done_index_is_made_again_with_the_work_of_expired_jobs() {
    let ledger = Ledger::new(Store::in_memory());
    for job in [&[1][..], &[1, 2], &[1, 2, 3]] {
        write(&ledger, &success(job)).await;
    }
    pass(&ledger, 1, Effort::Thorough, false).await;
    assert_eq!(ledger.jobs().await.unwrap().len(), 1);
    ledger
        .store()
        .put(&layout::done(&pipeline()), Bytes::from_static(b"?"))
        .await
        .unwrap();
    for work in 1..4 {
        let output = output_of(&ledger, work).await;
        assert_eq!(output, Some(work.to_string()));
    }
}

#[tokio::test]
async fn outputs_of_expired_jobs_are_verified() {
    let ledger = Ledger::new(Store::in_memory());
    for job in [&[1][..], &[1, 2]] {
        write(&ledger, &success(job)).await;
    }
    pass(&ledger, 1, Effort::Thorough, false).await;
    let found = catalog::verify(&ledger, None).await.unwrap();
    assert_eq!((found[0].datums, found[0].damaged.len()), (2, 0));
}

#[tokio::test]
async fn old_logs_go_and_those_of_failures_stay_longer() {
    let ledger = Ledger::new(Store::in_memory());
    let job = write(
        &ledger,
        &PastJob {
            work: vec![1, 2, 3],
            end: End::Failure,
        },
    )
    .await;
    let with = |logs: Duration, failed_logs: Duration| {
        let ledger = ledger.clone();
        async move {
            let pass = RetentionPass {
                ledger: &ledger,
                pipeline: &pipeline(),
                limits: RetentionLimits {
                    jobs: 9,
                    logs,
                    failed_logs,
                },
                effort: soon(),
                dry_run: false,
            };
            pass.run(ledger.jobs_of(&pipeline()).await.unwrap())
                .await
                .unwrap();
            let logs = ledger.logs_of_shard(job, 0).await.unwrap();
            logs.into_iter().map(|(index, _)| index).collect::<Vec<_>>()
        }
    };
    assert_eq!(with(DAY, DAY).await, [0, 1, 2]);
    assert_eq!(with(Duration::ZERO, DAY).await, [0, 2]);
    assert_eq!(
        with(Duration::ZERO, Duration::ZERO).await,
        Vec::<u64>::new()
    );
    assert_eq!(ledger.jobs().await.unwrap(), [job]);
}

#[tokio::test]
async fn space_is_told_by_owner_and_kind() {
    use super::FileKind::{DoneIndex, Logs, Manifests, Outputs, Records, Verdicts};
    let ledger = Ledger::new(Store::in_memory());
    let first = write(&ledger, &success(&[1])).await;
    let second = write(&ledger, &success(&[1, 2])).await;
    pass(&ledger, 1, Effort::Thorough, false).await;
    let usage = super::usage(&ledger).await.unwrap();
    let told: Vec<_> = usage
        .iter()
        .map(|usage| {
            (
                usage.pipeline.is_some(),
                usage.job,
                usage.is_expired,
                usage.space.keys().copied().collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (false, None, false, vec![Records]),
            (true, None, false, vec![Records, DoneIndex]),
            (true, Some(first), true, vec![Outputs, Manifests, Verdicts]),
            (
                true,
                Some(second),
                false,
                vec![Outputs, Logs, Manifests, Verdicts, Records]
            ),
        ]
    );
}
