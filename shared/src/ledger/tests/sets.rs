//! Sets: the agreement on the cut of a segment, and the commits of a set.

use super::*;
use crate::datum::CommitUnit;
use crate::ledger::{SegmentSets, SetLog};

const SEGMENT: Segment = Segment { first: 8, count: 4 };

fn by(worker: &str, indexes: impl IntoIterator<Item = u64>) -> Vec<Verdict> {
    let worker: WorkerId = worker.parse().unwrap();
    let of_worker = |index| Verdict {
        worker: worker.clone(),
        ..success(index)
    };
    indexes.into_iter().map(of_worker).collect()
}

fn workers(verdicts: &[Verdict]) -> Vec<(u64, &str)> {
    let named = verdicts.iter();
    named
        .map(|verdict| (verdict.index, verdict.worker.as_str()))
        .collect()
}

async fn records(ledger: &Ledger, job: JobId) -> Vec<String> {
    let names = ledger.store().names(&layout::commit_shard(job, 0)).await;
    names.unwrap()
}

#[tokio::test]
async fn the_first_cut_of_a_segment_counts_for_every_leader() {
    for (_folder, ledger) in everywhere().await {
        let (job, segments) = job_of(&ledger, 4).await;
        assert!(!ledger.has_sets(job).await.unwrap());
        let units = ledger.units_of(job, &[0, 3], None).await.unwrap();
        assert_eq!(units, [CommitUnit::Single; 2], "without a record");
        let (first, other) = (
            SegmentSets::beginning_at(vec![0, 2]),
            SegmentSets::beginning_at(vec![0]),
        );
        for mine in [first.clone(), other, SegmentSets::singles()] {
            let agreed = ledger.agree_on_sets(job, segments[0], mine).await;
            assert_eq!(agreed.unwrap(), first);
        }
        assert!(ledger.has_sets(job).await.unwrap());
        let units = ledger.units_of(job, &[1, 2], None).await.unwrap();
        assert_eq!(units, [CommitUnit::Set(0), CommitUnit::Set(2)]);
    }
}

#[tokio::test]
async fn one_record_decides_all_verdicts_of_a_set() {
    for (_folder, ledger) in everywhere().await {
        let job = JobId::generate();
        let mut log = SetLog::unread(job, 8);
        let mine = by("a", 8..12);
        let committed = ledger.commit_set(&mut log, mine.clone()).await.unwrap();
        assert!(committed.iter().all(|committed| committed.first));
        assert_eq!(records(&ledger, job).await.len(), 1);
        assert_eq!(ledger.verdicts(job, SEGMENT).await.unwrap(), mine);
        let found = ledger.committed(job, 10).await.unwrap();
        assert_eq!(found, Some(mine[2].clone()));
        assert_eq!(ledger.committed(job, 12).await.unwrap(), None);
        ledger.seal(job, SEGMENT, &mine).await.unwrap();
        assert_eq!(records(&ledger, job).await.len(), 0, "the records go");
        assert_eq!(ledger.verdicts(job, SEGMENT).await.unwrap(), mine);
    }
}

#[tokio::test]
async fn who_loses_keeps_only_the_datums_that_no_earlier_commit_has() {
    for (_folder, ledger) in everywhere().await {
        let job = JobId::generate();
        // Cut off after two of its datums, in any order.
        let unit = CommitUnit::Set(8);
        let part = ledger.commit_all(job, unit, by("a", [11, 9])).await;
        assert!(part.unwrap().iter().all(|committed| committed.first));
        let all = ledger.commit_all(job, unit, by("b", 8..12)).await.unwrap();
        let firsts: Vec<_> = all.iter().map(|committed| committed.first).collect();
        assert_eq!(firsts, [true, false, true, false]);
        let expected = [(8, "b"), (9, "a"), (10, "b"), (11, "a")];
        let told: Vec<_> = all.into_iter().map(|committed| committed.verdict).collect();
        assert_eq!(workers(&told), expected);
        let kept = ledger.verdicts(job, SEGMENT).await.unwrap();
        assert_eq!(workers(&kept), expected);
        let mut log = SetLog::unread(job, 8);
        ledger.read_on(&mut log).await.unwrap();
        assert_eq!(log.verdict(10), Some(&kept[2]));
    }
}

#[tokio::test]
async fn whatever_many_workers_commit_each_datum_has_one_verdict() {
    for (_folder, ledger) in everywhere().await {
        let job = JobId::generate();
        let names: Vec<String> = (0..8).map(|n| format!("worker-{n}")).collect();
        let commits = names.iter().enumerate().map(|(n, name)| {
            let begin = 8 + n as u64 % 4;
            ledger.commit_all(job, CommitUnit::Set(8), by(name, begin..12))
        });
        let mut told = BTreeMap::new();
        for committed in join_all(commits).await {
            for committed in committed.unwrap() {
                let index = committed.verdict.index;
                let earlier = told
                    .entry(index)
                    .or_insert_with(|| committed.verdict.clone());
                assert_eq!(*earlier, committed.verdict, "all are told the same");
            }
        }
        let kept = ledger.verdicts(job, SEGMENT).await.unwrap();
        assert_eq!(kept, told.into_values().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_set_commit_whose_answer_was_lost_wins_when_it_is_repeated() {
    let ledger = Ledger::new(Store::in_memory());
    let (job, mine) = (JobId::generate(), by("a", 8..12));
    for _ in 0..2 {
        let committed = ledger
            .commit_all(job, CommitUnit::Set(8), mine.clone())
            .await;
        assert!(committed.unwrap().iter().all(|committed| committed.first));
    }
    assert_eq!(records(&ledger, job).await.len(), 1);
}

#[tokio::test]
async fn a_zombie_cannot_commit_a_set_after_its_segment_was_sealed() {
    for (_folder, ledger) in everywhere().await {
        let job = JobId::generate();
        let sealed = by("a", 8..12);
        ledger.seal(job, SEGMENT, &sealed).await.unwrap();
        let slow = |verdict: Verdict| Verdict {
            started: Timestamp::now() - SignedDuration::from_secs(60),
            ..verdict
        };
        let zombie = by("zombie", 8..12).into_iter().map(slow).collect();
        let lost = ledger
            .commit_all(job, CommitUnit::Set(8), zombie)
            .await
            .unwrap();
        assert!(lost.iter().all(|committed| !committed.first));
        assert_eq!(records(&ledger, job).await.len(), 0);
        assert_eq!(ledger.verdicts(job, SEGMENT).await.unwrap(), sealed);
    }
}

#[tokio::test]
async fn single_verdicts_and_sets_of_a_segment_are_read_together() {
    let ledger = Ledger::new(Store::in_memory());
    let job = JobId::generate();
    // Taken over from an earlier job, before the segment was cut.
    let taken = by("leader", [9]);
    ledger.take_over(job, &taken).await.unwrap();
    let set = by("a", [8, 10, 11]);
    ledger
        .commit_all(job, CommitUnit::Set(8), set)
        .await
        .unwrap();
    let expected = [(8, "a"), (9, "leader"), (10, "a"), (11, "a")];
    let read = ledger.verdicts(job, SEGMENT).await.unwrap();
    assert_eq!(workers(&read), expected);
    assert_eq!(
        ledger.committed(job, 9).await.unwrap().as_ref(),
        taken.first()
    );
    assert_eq!(
        ledger.sample_verdicts(job, SEGMENT, 2).await.unwrap().len(),
        2
    );
}
