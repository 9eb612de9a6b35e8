//! Behaviour of the ledger, on a folder and in memory.

mod sets;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    Commit, DeadLetter, DoneRef, Ledger, ManifestEntry, PastRuns, Scope, Segment, SetVerdict,
    Submission,
};
use crate::datum::{CommitUnit, Datum, StageStats, Verdict, VerdictState};
use crate::id::{DatumId, JobId, PipelineName, WorkerId};
use crate::job::{JobRecord, JobState};
use crate::store::testing::scheduled::{Scheduler, SharedMemory};
use crate::store::{Location, Store, StoreError, StoreKey, layout};

/// A ledger in a folder of its own.
async fn in_folder() -> (TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::folder(folder.path()).unwrap();
    let store = Store::open(&location).await.unwrap();
    (folder, Ledger::new(store))
}

/// A ledger of every kind, with the folder that goes when it is dropped.
async fn everywhere() -> [(Option<TempDir>, Ledger); 2] {
    let (folder, ledger) = in_folder().await;
    [
        (Some(folder), ledger),
        (None, Ledger::new(Store::in_memory())),
    ]
}

fn pipeline() -> PipelineName {
    "word-count".parse().unwrap()
}

fn work(n: u64) -> DatumId {
    DatumId::from_hash(&blake3::hash(&n.to_le_bytes()))
}

fn entry(index: u64) -> ManifestEntry {
    ManifestEntry {
        datum: Datum {
            index,
            id: work(index),
            inputs: vec![],
        },
        done: (index % 2 == 1).then(|| DoneRef {
            job: JobId::from_bytes([1; 16]),
            index: 7,
        }),
        redo: None,
    }
}

fn verdict(index: u64, state: VerdictState) -> Verdict {
    Verdict {
        index,
        datum: work(index),
        state,
        attempts: 1,
        worker: "worker-1".parse().unwrap(),
        cause: None,
        staged: "claim".to_owned(),
        outputs: vec![],
        stats: StageStats::default(),
        started: Timestamp::now(),
        finished: Timestamp::now(),
        usage: None,
        taken_from: None,
    }
}

fn success(index: u64) -> Verdict {
    verdict(index, VerdictState::Success)
}

/// Opens a job with a manifest of `count` datums in segments of three.
async fn job_of(ledger: &Ledger, count: u64) -> (JobId, Vec<Segment>) {
    let job = JobId::generate();
    let record = JobRecord::new(job, pipeline(), Timestamp::now());
    ledger
        .open_job(&record, &json!({"pipeline": {"name": "word-count"}}))
        .await
        .unwrap();
    let entries: Vec<ManifestEntry> = (0..count).map(entry).collect();
    let mut segments = vec![];
    for chunk in entries.chunks(3) {
        segments.push(ledger.write_manifest(job, chunk).await.unwrap());
    }
    (job, segments)
}

/// Opens a job with one successful datum.
async fn job_of_work(ledger: &Ledger, n: u64) -> JobId {
    let job = JobId::generate();
    let record = JobRecord::new(job, pipeline(), Timestamp::now());
    ledger.open_job(&record, &json!({})).await.unwrap();
    let mut entry = entry(0);
    entry.datum.id = work(n);
    ledger.write_manifest(job, &[entry]).await.unwrap();
    let verdict = Verdict {
        datum: work(n),
        ..success(0)
    };
    ledger.commit(job, &verdict).await.unwrap();
    job
}

#[tokio::test]
async fn a_job_comes_back_as_it_was_written() {
    let (_folder, ledger) = in_folder().await;
    let (first, _) = job_of(&ledger, 0).await;
    let (job, segments) = job_of(&ledger, 7).await;
    assert_eq!(ledger.jobs().await.unwrap(), [first, job]);
    assert_eq!(ledger.unfolded(&pipeline()).await.unwrap(), [first, job]);
    assert_eq!(ledger.job(job).await.unwrap().pipeline, pipeline());
    assert_eq!(
        ledger.spec(job).await.unwrap()["pipeline"]["name"],
        "word-count"
    );
    assert_eq!(ledger.segments(job).await.unwrap(), segments);
    let entries = ledger.manifest(job, segments[1]).await.unwrap();
    assert_eq!(entries, (3..6).map(entry).collect::<Vec<_>>());
    assert!(!ledger.stop_requested(job).await.unwrap());
    ledger.request_stop(job).await.unwrap();
    assert!(ledger.stop_requested(job).await.unwrap());
}

#[tokio::test]
async fn a_job_has_one_key_which_is_for_its_user_alone() {
    for (folder, ledger) in everywhere().await {
        let (job, _) = job_of(&ledger, 0).await;
        let key = ledger.job_key(job).await.unwrap();
        assert!(key.is_some());
        assert_eq!(Some(ledger.ensure_job_key(job).await.unwrap()), key);
        let old = JobId::generate();
        assert_eq!(ledger.job_key(old).await.unwrap(), None);
        let racers = join_all((0..4).map(|_| ledger.ensure_job_key(old))).await;
        let keys: Vec<_> = racers.into_iter().map(Result::unwrap).collect();
        assert!(
            keys.iter()
                .all(|each| *each == keys[0] && Some(*each) != key)
        );
        if let Some(folder) = folder {
            let path = folder.path().join(layout::job_key(job).as_str());
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[tokio::test]
async fn of_two_leaders_only_one_writes_what_follows_an_index() {
    for (_folder, ledger) in everywhere().await {
        let (job, segments) = job_of(&ledger, 3).await;
        let append = async |indexes: std::ops::Range<u64>| {
            let entries: Vec<ManifestEntry> = indexes.map(entry).collect();
            ledger.write_manifest(job, &entries).await
        };
        let first = append(3..5).await.unwrap();
        assert_eq!(append(3..5).await.unwrap(), first, "a lost answer");
        let other = append(3..9).await;
        assert!(matches!(other, Err(StoreError::Exists { .. })), "{other:?}");
        assert_eq!(ledger.segments(job).await.unwrap(), [segments[0], first]);
        let early = ledger.complete_manifest(job, 3).await;
        assert!(matches!(early, Err(StoreError::Exists { .. })), "{early:?}");
        assert!(!ledger.is_manifest_complete(job).await.unwrap());
        for _ in 0..2 {
            ledger.complete_manifest(job, 5).await.unwrap();
        }
        assert!(ledger.is_manifest_complete(job).await.unwrap());
        let late = append(5..6).await;
        assert!(matches!(late, Err(StoreError::Exists { .. })), "{late:?}");
        assert_eq!(ledger.segments(job).await.unwrap(), [segments[0], first]);
        assert_eq!(ledger.datums(job, 3, 4..9).await.unwrap(), [entry(4).datum]);
        let none = ledger.datums(job, 4, 4..9).await;
        assert!(matches!(none, Err(StoreError::Missing { .. })), "{none:?}");
    }
}

#[tokio::test]
async fn a_manifest_without_datums_can_be_complete() {
    let ledger = Ledger::new(Store::in_memory());
    let (job, _) = job_of(&ledger, 0).await;
    assert!(!ledger.is_manifest_complete(job).await.unwrap());
    ledger.complete_manifest(job, 0).await.unwrap();
    assert!(ledger.is_manifest_complete(job).await.unwrap());
    assert!(ledger.segments(job).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_manifest_of_an_older_version_is_read_and_continued() {
    let ledger = Ledger::new(Store::in_memory());
    let (job, _) = job_of(&ledger, 0).await;
    let lines = |indexes: std::ops::Range<u64>| {
        let lines = indexes.map(|index| serde_json::to_string(&entry(index)).unwrap() + "\n");
        Bytes::from(lines.collect::<String>())
    };
    let old = [
        Segment { first: 0, count: 2 },
        Segment { first: 2, count: 3 },
    ];
    for segment in old {
        let key = layout::old_manifest(job, &segment.to_string());
        ledger
            .store()
            .put(&key, lines(segment.indexes()))
            .await
            .unwrap();
    }
    assert_eq!(ledger.segments(job).await.unwrap(), old);
    assert_eq!(ledger.manifest(job, old[1]).await.unwrap().len(), 3);
    assert_eq!(
        ledger.datums(job, 2, 0..9).await.unwrap().len(),
        2,
        "of 2 to 4, 3 is skipped"
    );
    let new = ledger.write_manifest(job, &[entry(5)]).await.unwrap();
    assert_eq!(ledger.segments(job).await.unwrap(), [old[0], old[1], new]);
    let (other, _) = job_of(&ledger, 0).await;
    ledger
        .store()
        .put(&layout::expanded(other), Bytes::new())
        .await
        .unwrap();
    assert!(ledger.is_manifest_complete(other).await.unwrap());
}

#[tokio::test]
async fn the_first_final_record_of_a_job_stays() {
    for (_folder, ledger) in everywhere().await {
        let (job, _) = job_of(&ledger, 0).await;
        let mut record = ledger.job(job).await.unwrap();
        record.state = JobState::Running;
        ledger.save(&record).await.unwrap();
        let finals =
            [JobState::Success, JobState::Failure, JobState::Killed].map(|state| JobRecord {
                state,
                ..record.clone()
            });
        let saved = join_all(finals.iter().map(|each| ledger.save(each))).await;
        let won: Vec<_> = (0..3).filter(|n| saved[*n].is_ok()).collect();
        assert_eq!(won.len(), 1, "{saved:?}");
        let late = ledger.save(&record).await;
        assert!(matches!(late, Err(StoreError::Exists { .. })), "{late:?}");
        ledger.save(&finals[won[0]]).await.unwrap();
        assert_eq!(ledger.job(job).await.unwrap(), finals[won[0]]);
    }
}

#[tokio::test]
async fn a_record_at_the_place_of_another_one_is_damaged() {
    let ledger = Ledger::new(Store::in_memory());
    let job = JobId::generate();
    ledger.commit(job, &success(1)).await.unwrap();
    let checked = ledger.store().get(&layout::commit(job, 1)).await.unwrap();
    // An older Drover wrote no checksum; the index tells.
    let unchecked = serde_json::to_vec(&success(1)).unwrap().into();
    let elsewhere = layout::commit(job, 2);
    for bytes in [checked, unchecked] {
        ledger.store().put(&elsewhere, bytes).await.unwrap();
        let other = ledger.committed(job, 2).await;
        assert!(
            matches!(other, Err(StoreError::Corrupt { .. })),
            "{other:?}"
        );
    }
}

#[tokio::test]
async fn the_first_of_many_commits_wins() {
    for (_folder, ledger) in everywhere().await {
        let job = JobId::generate();
        let mut rivals: Vec<Verdict> = vec![];
        for n in 0..16 {
            let worker: WorkerId = format!("worker-{n}").parse().unwrap();
            rivals.push(Verdict {
                worker,
                ..success(5)
            });
        }
        let outcomes = join_all(rivals.iter().map(|rival| ledger.commit(job, rival))).await;
        let kept = ledger.committed(job, 5).await.unwrap().unwrap();
        for (rival, outcome) in rivals.iter().zip(outcomes) {
            let expected = if *rival == kept {
                Commit::Won
            } else {
                Commit::Lost(Box::new(kept.clone()))
            };
            assert_eq!(outcome.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_wins_when_it_is_repeated() {
    let ledger = Ledger::new(Store::in_memory());
    let (job, mine) = (JobId::generate(), success(0));
    for _ in 0..2 {
        assert_eq!(ledger.commit(job, &mine).await.unwrap(), Commit::Won);
    }
}

#[tokio::test]
async fn a_zombie_cannot_commit_after_its_segment_was_sealed() {
    let (_folder, ledger) = in_folder().await;
    let (job, segments) = job_of(&ledger, 3).await;
    let verdicts: Vec<Verdict> = (0..3).map(success).collect();
    ledger.seal(job, segments[0], &verdicts).await.unwrap();
    let zombie = Verdict {
        worker: "zombie".parse().unwrap(),
        started: Timestamp::now() - SignedDuration::from_secs(60),
        ..success(1)
    };
    let lost = Commit::Lost(Box::new(verdicts[1].clone()));
    assert_eq!(ledger.commit(job, &zombie).await.unwrap(), lost);
    assert_eq!(ledger.verdicts(job, segments[0]).await.unwrap(), verdicts);
    assert_eq!(
        ledger.committed(job, 1).await.unwrap(),
        Some(verdicts[1].clone())
    );
    assert_eq!(ledger.committed(job, 4).await.unwrap(), None);
}

#[tokio::test]
async fn a_sample_is_the_same_before_and_after_sealing() {
    let (_folder, ledger) = in_folder().await;
    let job = JobId::generate();
    let segment = Segment {
        first: 0,
        count: 10,
    };
    let verdicts: Vec<Verdict> = segment.indexes().map(success).collect();
    for verdict in &verdicts {
        ledger.commit(job, verdict).await.unwrap();
    }
    let every = |nth| verdicts.iter().step_by(nth).cloned().collect::<Vec<_>>();
    for sealed in [false, true] {
        if sealed {
            ledger.seal(job, segment, &verdicts).await.unwrap();
        }
        for nth in [1, 3, 20] {
            let sample = ledger.sample_verdicts(job, segment, nth).await.unwrap();
            assert_eq!(sample, every(nth), "every {nth}th, sealed: {sealed}");
        }
    }
}

#[tokio::test]
async fn verdicts_are_the_same_wherever_sealing_is_cut_off() {
    let verdicts: Vec<Verdict> = (0..4).map(success).collect();
    let segment = Segment { first: 0, count: 4 };
    for (_folder, ledger) in everywhere().await {
        for left in 0..=verdicts.len() {
            let job = JobId::generate();
            // Cut off when the results are written and all but `left` of the single records are removed.
            ledger.seal(job, segment, &verdicts).await.unwrap();
            for verdict in &verdicts[verdicts.len() - left..] {
                let bytes = serde_json::to_vec(verdict).unwrap();
                ledger
                    .store()
                    .put(&layout::commit(job, verdict.index), bytes.into())
                    .await
                    .unwrap();
            }
            assert_eq!(ledger.verdicts(job, segment).await.unwrap(), verdicts);
            ledger.seal(job, segment, &verdicts).await.unwrap();
            assert_eq!(ledger.verdicts(job, segment).await.unwrap(), verdicts);
            assert!(
                ledger
                    .store()
                    .names(&layout::commit_shard(job, 0))
                    .await
                    .unwrap()
                    .is_empty()
            );
        }
        // Cut off before: there are single records only.
        let job = JobId::generate();
        for verdict in &verdicts {
            ledger.commit(job, verdict).await.unwrap();
        }
        assert_eq!(ledger.verdicts(job, segment).await.unwrap(), verdicts);
        assert_eq!(
            ledger
                .verdicts(job, Segment { first: 2, count: 1 })
                .await
                .unwrap(),
            [verdicts[2].clone()]
        );
    }
}

#[tokio::test]
async fn verdicts_are_found_across_the_borders_of_shards() {
    let (_folder, ledger) = in_folder().await;
    let job = JobId::generate();
    let around = [layout::SHARD - 1, layout::SHARD, 2 * layout::SHARD];
    for index in around {
        ledger.commit(job, &success(index)).await.unwrap();
    }
    let segment = Segment {
        first: 1,
        count: 2 * layout::SHARD,
    };
    let found = ledger.verdicts(job, segment).await.unwrap();
    assert_eq!(
        found
            .iter()
            .map(|verdict| verdict.index)
            .collect::<Vec<_>>(),
        around
    );
}

#[tokio::test]
async fn commits_of_an_interrupted_job_count() {
    let (_folder, ledger) = in_folder().await;
    let (job, segments) = job_of(&ledger, 7).await;
    let sealed: Vec<Verdict> = segments[0].indexes().map(success).collect();
    ledger.seal(job, segments[0], &sealed).await.unwrap();
    ledger.commit(job, &success(3)).await.unwrap();
    ledger
        .commit(job, &verdict(4, VerdictState::Failed))
        .await
        .unwrap();
    ledger
        .commit(job, &verdict(5, VerdictState::Recovered))
        .await
        .unwrap();
    for _ in 0..2 {
        let done = ledger.done_index(&pipeline()).await.unwrap();
        let known: Vec<u64> = (0..7)
            .filter(|index| done.get(work(*index)).is_some())
            .collect();
        assert_eq!(known, [0, 1, 2, 3]);
        assert_eq!(done.get(work(3)), Some(DoneRef { job, index: 3 }));
        assert!(ledger.unfolded(&pipeline()).await.unwrap().is_empty());
    }
    ledger
        .forget(&pipeline(), &[work(1), work(99)])
        .await
        .unwrap();
    let done = ledger.done_index(&pipeline()).await.unwrap();
    assert_eq!((done.len(), done.get(work(1))), (3, None));
}

#[tokio::test(start_paused = true)]
async fn listings_that_lag_behind_hide_no_segment_and_no_end_of_a_manifest() {
    let memory = SharedMemory::default();
    memory.delay_listings(Duration::from_secs(60));
    let [writer, reader] = [1, 2].map(|seed| Ledger::new(memory.store(Scheduler::new(seed))));
    let (job, segments) = job_of(&writer, 7).await;
    let listed = reader.store().names(&layout::manifests(job)).await;
    assert_eq!(listed.unwrap(), Vec::<String>::new());
    assert_eq!(reader.segments(job).await.unwrap(), segments);
    let datums = reader.datums(job, 3, 3..6).await.unwrap();
    assert_eq!(datums.len(), 1, "the others are skipped");
    assert!(!reader.is_manifest_complete(job).await.unwrap());
    writer.complete_manifest(job, 7).await.unwrap();
    assert!(reader.is_manifest_complete(job).await.unwrap());
    assert_eq!(reader.segments(job).await.unwrap(), segments);
}

#[tokio::test(start_paused = true)]
async fn a_late_commit_yields_to_the_seal_though_listings_lag_behind() {
    let memory = SharedMemory::default();
    memory.delay_listings(Duration::from_secs(60));
    let [leader, late, too_late] =
        [1, 2, 3].map(|seed| Ledger::new(memory.store(Scheduler::new(seed))));
    let (job, segments) = job_of(&leader, 3).await;
    // Both have seen the folder before the seal.
    for worker in [&late, &too_late] {
        assert_eq!(worker.sealed_segments(job).await.unwrap(), []);
    }
    let sealed = [success(0), success(2)];
    leader.seal(job, segments[0], &sealed).await.unwrap();
    let mine = Verdict {
        staged: "of the late worker".to_owned(),
        started: Timestamp::now() - SignedDuration::from_secs(10),
        ..success(0)
    };
    let committed = late.commit(job, &mine).await.unwrap();
    assert_eq!(committed, Commit::Lost(Box::new(sealed[0].clone())));
    let found = late.committed(job, 0).await.unwrap();
    assert_eq!(found.as_ref(), Some(&sealed[0]));
    let unit = CommitUnit::Set(0);
    let committed = too_late.commit_all(job, unit, vec![mine]).await.unwrap();
    let first = SetVerdict {
        verdict: sealed[0].clone(),
        first: false,
    };
    assert_eq!(committed, [first]);
}

#[tokio::test]
async fn whoever_changes_the_done_index_at_the_same_time_no_work_is_forgotten() {
    for (_folder, ledger) in everywhere().await {
        let (old, segments) = job_of(&ledger, 3).await;
        ledger
            .seal(old, segments[0], &[success(0), success(2)])
            .await
            .unwrap();
        ledger.fold(&pipeline(), old).await.unwrap();
        let mut jobs = Vec::new();
        for n in 10..26 {
            jobs.push(job_of_work(&ledger, n).await);
        }
        let name = pipeline();
        let folds = jobs.iter().map(|job| ledger.fold(&name, *job));
        let lost = [work(2)];
        let (folded, forgotten) = tokio::join!(join_all(folds), ledger.forget(&name, &lost));
        folded.into_iter().collect::<Result<(), _>>().unwrap();
        forgotten.unwrap();
        let done = ledger.done_index(&name).await.unwrap();
        for (n, job) in (10..).zip(&jobs) {
            let expected = DoneRef {
                job: *job,
                index: 0,
            };
            assert_eq!(done.get(work(n)), Some(expected), "{n}");
        }
        assert!(done.get(work(0)).is_some() && done.get(work(2)).is_none());
    }
}

#[tokio::test]
async fn two_processes_that_find_the_done_index_damaged_forget_nothing() {
    for (_folder, ledger) in everywhere().await {
        let mut jobs = Vec::new();
        for n in 0..8 {
            let job = job_of_work(&ledger, n).await;
            ledger.fold(&pipeline(), job).await.unwrap();
            jobs.push(job);
        }
        let key = layout::done(&pipeline());
        for _ in 0..8 {
            let damage = Bytes::from_static(b"damage");
            ledger.store().put(&key, damage).await.unwrap();
            let name = pipeline();
            let both = [0, 1].map(|_| ledger.done_index(&name));
            for read in join_all(both).await {
                read.unwrap();
            }
            assert_eq!(ledger.done_index(&name).await.unwrap().len(), 8);
        }
    }
}

#[tokio::test]
async fn a_verdict_on_other_work_than_the_manifest_names_is_not_done_work() {
    for (_folder, ledger) in everywhere().await {
        for is_sealed in [false, true] {
            let (job, segments) = job_of(&ledger, 3).await;
            let other = Verdict {
                datum: work(77),
                ..success(2)
            };
            if is_sealed {
                ledger
                    .seal(job, segments[0], &[success(0), other])
                    .await
                    .unwrap();
            } else {
                ledger.commit(job, &success(0)).await.unwrap();
                ledger.commit(job, &other).await.unwrap();
            }
            ledger.fold(&pipeline(), job).await.unwrap();
            let done = ledger.done_index(&pipeline()).await.unwrap();
            assert_eq!((done.get(work(77)), done.get(work(2))), (None, None));
            let kept = DoneRef { job, index: 0 };
            assert_eq!(done.get(work(0)), Some(kept), "sealed: {is_sealed}");
        }
    }
}

#[tokio::test]
async fn a_damaged_done_index_is_made_again_from_the_jobs() {
    for (_folder, ledger) in everywhere().await {
        let mut jobs = vec![];
        for _ in 0..2 {
            let (job, segments) = job_of(&ledger, 3).await;
            ledger
                .seal(job, segments[0], &[success(0), success(2)])
                .await
                .unwrap();
            ledger.fold(&pipeline(), job).await.unwrap();
            jobs.push(job);
        }
        let key = layout::done(&pipeline());
        let whole = ledger.store().get(&key).await.unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1;
            let damaged = if at % 2 == 0 {
                damaged
            } else {
                damaged[..at].to_vec()
            };
            ledger.store().put(&key, damaged.into()).await.unwrap();
            let done = ledger.done_index(&pipeline()).await.unwrap();
            assert_eq!(done.len(), 2, "damaged at {at}");
            assert_eq!(
                done.get(work(2)),
                Some(DoneRef {
                    job: jobs[1],
                    index: 2
                })
            );
            assert_eq!(ledger.store().get(&key).await.unwrap(), whole);
        }
    }
}

#[tokio::test]
async fn a_damaged_record_is_named_with_the_way_out() {
    let ledger = Ledger::new(Store::in_memory());
    let (job, segments) = job_of(&ledger, 3).await;
    let damage = async |key: StoreKey| {
        ledger
            .store()
            .put(&key, Bytes::from_static(b"{\"job\": 1"))
            .await
            .unwrap();
    };
    damage(layout::record(job)).await;
    damage(layout::manifest(job, segments[0].first)).await;
    damage(layout::commit(job, 0)).await;
    ledger.commit(job, &success(1)).await.unwrap();
    let told = [
        ledger.job(job).await.unwrap_err(),
        ledger.manifest(job, segments[0]).await.unwrap_err(),
        ledger.committed(job, 0).await.unwrap_err(),
        ledger.verdicts(job, segments[0]).await.unwrap_err(),
    ];
    let told = told
        .map(|error| error.to_string().replace(&job.to_string(), "<job>"))
        .join("\n");
    insta::assert_snapshot!(told, @"
    .drover/jobs/<job>/record.json is damaged: remove the job's folder to forget the job; the pipeline remembers the successes
    .drover/jobs/<job>/manifest/00000000000000000000.jsonl is damaged: remove the job's folder and run the pipeline again; datums that are remembered as done are skipped
    .drover/jobs/<job>/commits/00000000000000000/00000000000000000000.json is damaged: remove the file; the datum runs again with the next run
    .drover/jobs/<job>/commits/00000000000000000/00000000000000000000.json is damaged: remove the file; the datum runs again with the next run
    ");
    // Undamaged records still count.
    let done = ledger.done_index(&pipeline()).await.unwrap();
    assert_eq!(
        (done.len(), done.get(work(1))),
        (1, Some(DoneRef { job, index: 1 }))
    );
}

#[tokio::test]
async fn attempts_are_marked_one_by_one_and_their_logs_kept() {
    let (folder, ledger) = in_folder().await;
    let job = JobId::generate();
    assert_eq!(ledger.attempt_marks(job, 1).await.unwrap(), 0);
    for n in 1..=12 {
        assert_eq!(
            ledger
                .mark_attempt(job, 1, "claim-1", &worker())
                .await
                .unwrap(),
            n
        );
    }
    assert_eq!(
        ledger
            .mark_attempt(job, 11, "claim-2", &worker())
            .await
            .unwrap(),
        1
    );
    for (index, name) in [(1, "b.1.log"), (1, "a.2.log"), (11, "c.1.log")] {
        let file = folder.path().join(name);
        fs::write(&file, name).unwrap();
        ledger.save_log(job, index, name, &file).await.unwrap();
    }
    let logs = ledger.logs(job, 1).await.unwrap();
    assert_eq!(
        logs.iter().map(|log| log.name.as_str()).collect::<Vec<_>>(),
        ["a.2.log", "b.1.log"]
    );
    assert_eq!(ledger.store().get(&logs[0].key).await.unwrap(), "a.2.log");
}

#[tokio::test]
async fn removed_marks_do_not_count() {
    let (_folder, ledger) = in_folder().await;
    let job = JobId::generate();
    let first = ledger
        .mark_attempt(job, 1, "claim-3", &worker())
        .await
        .unwrap();
    let second = ledger
        .mark_attempt(job, 1, "claim-4", &worker())
        .await
        .unwrap();
    ledger.unmark_attempt(job, 1, first).await.unwrap();
    assert_eq!(ledger.attempt_marks(job, 1).await.unwrap(), 1);
    let third = ledger
        .mark_attempt(job, 1, "claim-5", &worker())
        .await
        .unwrap();
    assert!(third != second, "two runs share a mark");
    assert_eq!(ledger.attempt_marks(job, 1).await.unwrap(), 2);
    let old = layout::mark(job, 1, 99);
    ledger
        .store()
        .put(&old, "01JD3GK6M8Q4V5W6X7Y8Z9A0BC".into())
        .await
        .unwrap();
    let past = ledger.past_runs(job, 1).await.unwrap();
    assert_eq!(past.marked_by, [Some(worker()), Some(worker()), None]);
}

#[tokio::test]
async fn the_time_of_runs_that_were_cut_off_adds_up() {
    for (_folder, ledger) in everywhere().await {
        let job = JobId::generate();
        let note = async |index, claim, seconds| {
            ledger.note_waste(job, index, claim, seconds).await.unwrap();
        };
        note(1, "herd-1.0", 2.5).await;
        note(1, "herd-1.0", 7.5).await;
        note(1, "herd-2.0", 1.25).await;
        note(1, "herd-3.0", 99.0).await;
        note(11, "herd-3.0", 99.0).await;
        ledger.forget_waste(job, 1, "herd-3.0").await.unwrap();
        ledger
            .mark_attempt(job, 1, "herd-4.0", &worker())
            .await
            .unwrap();
        for bytes in [1_000_000_000, 3_000_000_000] {
            ledger.note_too_little(job, 1, bytes).await.unwrap();
        }
        let past = ledger.past_runs(job, 1).await.unwrap();
        let expected = PastRuns {
            marked_by: vec![Some(worker())],
            wasted_s: 8.75,
            too_little: 3_000_000_000,
        };
        assert_eq!(past, expected);
        assert_eq!(ledger.attempt_marks(job, 1).await.unwrap(), 1);
    }
}

fn worker() -> WorkerId {
    "herd-1".parse().unwrap()
}

#[tokio::test]
async fn concurrent_coordinators_get_different_epochs() {
    for (_folder, ledger) in everywhere().await {
        let begun = (0..8).map(|n| {
            let (ledger, who) = (ledger.clone(), format!("coordinator {n}"));
            async move { ledger.begin_epoch(&pipeline(), &who).await.unwrap() }
        });
        let epochs = join_all(begun).await;
        let mut latest = Vec::new();
        for epoch in &epochs {
            if ledger.is_latest(&pipeline(), *epoch).await.unwrap() {
                latest.push(epoch);
            }
        }
        // A number that was removed can be taken once more by who was slow, and is deposed from the start.
        assert_eq!(latest, [epochs.iter().max().unwrap()]);
    }
}

#[tokio::test]
async fn a_new_epoch_deposes_the_earlier_epochs_of_its_pipeline() {
    for (_folder, ledger) in everywhere().await {
        let other: PipelineName = "other".parse().unwrap();
        let theirs = ledger.begin_epoch(&other, "they").await.unwrap();
        let mut before = ledger.begin_epoch(&pipeline(), "we").await.unwrap();
        for _ in 0..3 {
            let epoch = ledger.begin_epoch(&pipeline(), "we").await.unwrap();
            assert!(epoch > before);
            assert!(!ledger.is_latest(&pipeline(), before).await.unwrap());
            assert!(ledger.is_latest(&pipeline(), epoch).await.unwrap());
            before = epoch;
        }
        assert!(ledger.is_latest(&other, theirs).await.unwrap());
        let left = ledger.store().names(&layout::epochs(&pipeline())).await;
        assert_eq!(left.unwrap().len(), 1, "early epochs are removed");
    }
}

/// Submits a job and sets the state of its record.
async fn submit(ledger: &Ledger, state: JobState, submission: Submission) -> JobRecord {
    let mut record = JobRecord::new(JobId::generate(), pipeline(), Timestamp::now());
    record.state = state;
    let spec = json!({"pipeline": {"name": "word-count"}});
    ledger.submit(&record, &spec, &submission).await.unwrap();
    record
}

const ALL: Submission = Submission {
    scope: Scope::Everything,
    reprocess: false,
    keep_going: false,
    halt: None,
    after: Vec::new(),
    fingerprint: None,
    trace: None,
};

#[tokio::test]
async fn a_submission_comes_back_as_it_was_written() {
    for (_folder, ledger) in everywhere().await {
        let (own, _) = job_of(&ledger, 0).await;
        let retry = Submission {
            scope: Scope::FailedOf(own),
            reprocess: true,
            keep_going: false,
            halt: None,
            after: vec![own],
            fingerprint: None,
            trace: None,
        };
        for submission in [ALL, retry] {
            let record = submit(&ledger, JobState::Starting, submission.clone()).await;
            let found = ledger.submission(record.id).await.unwrap();
            assert_eq!(found, Some(submission));
            assert_eq!(ledger.job(record.id).await.unwrap(), record);
        }
        assert_eq!(ledger.submission(own).await.unwrap(), None);
        assert_eq!(ledger.pipelines().await.unwrap(), [pipeline()]);
    }
}

#[tokio::test]
async fn submitted_jobs_that_have_not_ended_are_listed_oldest_first() {
    for (_folder, ledger) in everywhere().await {
        job_of(&ledger, 0).await; // belongs to the process that began it
        let first = submit(&ledger, JobState::Running, ALL).await;
        submit(&ledger, JobState::Success, ALL).await;
        submit(&ledger, JobState::Killed, ALL).await;
        let second = submit(&ledger, JobState::Starting, ALL).await;
        let listed = ledger.submitted(&pipeline()).await.unwrap();
        assert_eq!(listed, [(first, ALL), (second, ALL)]);
        let none = ledger.submitted(&"other".parse().unwrap()).await.unwrap();
        assert!(none.is_empty());
    }
}

#[tokio::test]
async fn a_dead_letter_keeps_its_reason_and_beginning() {
    for (_folder, ledger) in everywhere().await {
        let large = "x".repeat(1_000_000);
        let messages = [
            DeadLetter::new(b"\xff{", "it is not JSON"),
            DeadLetter::new(large.as_bytes(), "it is too large"),
            DeadLetter::new(b"", "it is empty"),
        ];
        for message in &messages {
            ledger.save_dead_letter(&pipeline(), message).await.unwrap();
            // Names tell the order by the millisecond.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let (count, letters) = ledger.dead_letters(&pipeline(), 2).await.unwrap();
        assert_eq!(count, 3);
        assert!(
            letters == [messages[2].clone(), messages[1].clone()],
            "saved differently, or not the newest first"
        );
        assert_eq!(letters[1].size_bytes, large.len());
        assert!((1000..100_000).contains(&letters[1].text.len()));
        let (_, all) = ledger.dead_letters(&pipeline(), 9).await.unwrap();
        assert_eq!(all[2].text, "\u{fffd}{");
    }
}

#[tokio::test]
async fn of_any_number_of_dead_letters_the_newest_thousand_are_kept() {
    let (folder, ledger) = in_folder().await;
    let letters = folder
        .path()
        .join(layout::dead_letters(&pipeline()).as_str());
    fs::create_dir_all(&letters).unwrap();
    let older = serde_json::to_string(&DeadLetter::new(b"", "older")).unwrap();
    for n in 0..1_005 {
        fs::write(letters.join(format!("{n:05}.json")), &older).unwrap();
    }
    let newest = DeadLetter::new(b"", "newest");
    ledger.save_dead_letter(&pipeline(), &newest).await.unwrap();
    let (count, kept) = ledger.dead_letters(&pipeline(), 2).await.unwrap();
    assert_eq!((count, kept[0].reason.as_str()), (1_000, "newest"));
    assert!(letters.join("00006.json").exists());
    assert!(!letters.join("00005.json").exists());
}

#[tokio::test]
async fn the_datums_of_any_indexes_are_read_from_their_segments() {
    for (_folder, ledger) in everywhere().await {
        let job = JobId::generate();
        for first in [0, 4] {
            let entries: Vec<_> = (first..first + 4).map(entry).collect();
            ledger.write_manifest(job, &entries).await.unwrap();
        }
        let at = async |indexes: &[u64]| {
            let indexes = indexes.iter().copied().collect();
            let datums = ledger.datums_at(job, &indexes).await?;
            Ok(datums.iter().map(|datum| datum.index).collect::<Vec<_>>())
        };
        // Datums with odd indexes are skipped.
        assert_eq!(at(&[6, 1, 2, 3]).await.unwrap(), [2, 6]);
        let beyond: Result<_, StoreError> = at(&[2, 8]).await;
        assert!(
            matches!(beyond, Err(StoreError::Missing { .. })),
            "{beyond:?}"
        );
    }
}

#[tokio::test]
async fn a_pipeline_is_locked_until_the_lock_is_dropped() {
    let (_folder, ledger) = in_folder().await;
    let pipeline = pipeline();
    assert_eq!(ledger.is_locked(&pipeline).await.unwrap(), Some(false));
    let lock = ledger.try_lock(&pipeline).await.unwrap().unwrap();
    assert!(ledger.try_lock(&pipeline).await.unwrap().is_none());
    assert_eq!(ledger.is_locked(&pipeline).await.unwrap(), Some(true));
    let (waited, ()) = tokio::join!(ledger.lock(&pipeline), async { drop(lock) });
    drop(waited.unwrap());
    assert_eq!(ledger.is_locked(&pipeline).await.unwrap(), Some(false));
    assert_eq!(
        Ledger::new(Store::in_memory())
            .is_locked(&pipeline)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_seal_without_verdicts_is_whole_and_an_empty_object_is_damage() {
    let ledger = Ledger::new(Store::in_memory());
    let job = JobId::generate();
    ledger.write_manifest(job, &[entry(0)]).await.unwrap();
    let segment = ledger.segments(job).await.unwrap()[0];
    ledger.seal(job, segment, &[]).await.unwrap();
    assert_eq!(ledger.verdicts(job, segment).await.unwrap(), []);
    let key = layout::result(job, &segment.to_string());
    ledger.store().put(&key, Bytes::new()).await.unwrap();
    let damaged = ledger.verdicts(job, segment).await.unwrap_err();
    assert!(matches!(damaged, StoreError::Corrupt { .. }), "{damaged}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_done_index_is_the_union_of_all_successes_the_latest_first(
        jobs in prop::collection::vec(prop::collection::vec(0u64..12, 0..10), 0..5),
    ) {
        Runtime::new().unwrap().block_on(async {
            let ledger = Ledger::new(Store::in_memory());
            let mut expected = BTreeMap::new();
            for works in jobs {
                let job = JobId::generate();
                let record = JobRecord::new(job, pipeline(), Timestamp::now());
                ledger.open_job(&record, &json!({})).await.unwrap();
                let mut entries = vec![];
                for (index, number) in (0..).zip(&works) {
                    let mut entry = entry(index);
                    entry.datum.id = work(*number);
                    entries.push(entry);
                    let verdict = Verdict { datum: work(*number), ..success(index) };
                    ledger.commit(job, &verdict).await.unwrap();
                }
                if !entries.is_empty() {
                    ledger.write_manifest(job, &entries).await.unwrap();
                }
                // The newest of equal work counts: the output of an earlier one may have been lost and redone.
                for (index, number) in works.iter().enumerate() {
                    expected.insert(*number, DoneRef { job, index: index as u64 });
                }
                let done = ledger.done_index(&pipeline()).await.unwrap();
                assert_eq!(done.len(), expected.len());
                for number in 0..12 {
                    assert_eq!(done.get(work(number)), expected.get(&number).copied());
                }
            }
        });
    }
}
