//! Pure: counts of a job's datums. Every verdict counts once, however often and late a report brings it.

use std::collections::BTreeMap;

use drover_shared::datum::{IndexRanges, StageStats, Verdict, VerdictState};
use drover_shared::job::{Counts, FailureGroups, ResourceSummary, ResourceTally};
use drover_shared::ledger::{ManifestEntry, Segment};
use drover_shared::prediction::UsageModel;

/// Sums over the datums that have ended, and the segments that are still open.
///
/// A datum costs one byte until its segment is complete; its verdict is held in memory only as long.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    open: BTreeMap<u64, OpenSegment>,
    known: u64,
    counts: Counts,
    /// The part of `counts` taken over from an earlier job: failed and recovered datums.
    taken: Counts,
    stats: StageStats,
    usage: ResourceTally,
    learned: UsageModel,
    failures: FailureGroups,
    /// Entries that replace earlier ones with lost output, by the place of the datum.
    redone: BTreeMap<u64, u64>,
}

/// A segment with outstanding datums.
#[derive(Debug)]
struct OpenSegment {
    segment: Segment,
    /// For each datum, true if its verdict is outstanding.
    pending: Vec<bool>,
    outstanding: u64,
    verdicts: Vec<Verdict>,
}

/// Effect of a verdict on the tally.
#[derive(Debug, PartialEq)]
pub(crate) enum TallyChange {
    /// First verdict on its datum.
    New,
    /// First verdict on its datum and the last one of its segment; the segment's verdicts, sorted by index, can be
    /// sealed now.
    Complete(Segment, Vec<Verdict>),
    /// The datum had a verdict, or was skipped.
    Known,
    /// The manifest has no such datum.
    Unknown,
}

impl Tally {
    /// Adds a segment of the manifest. `skipped` holds one flag per datum.
    pub(crate) fn open(&mut self, segment: Segment, skipped: &[bool]) {
        let pending: Vec<bool> = skipped.iter().map(|skipped| !skipped).collect();
        let outstanding = count(pending.iter().filter(|pending| **pending));
        self.known = self.known.max(segment.first + segment.count);
        self.counts.total += segment.count;
        self.counts.skipped += segment.count - outstanding;
        if outstanding > 0 {
            let verdicts = Vec::new();
            self.open.insert(
                segment.first,
                OpenSegment {
                    segment,
                    pending,
                    outstanding,
                    verdicts,
                },
            );
        }
    }

    /// Uncounts the entries that `entries` of the manifest replace. Must follow [`open`](Self::open) of their segment.
    pub(crate) fn replace(&mut self, entries: &[ManifestEntry]) {
        for entry in entries {
            let Some(redo) = entry.redo else { continue };
            self.redone.insert(redo.index, entry.datum.index);
            self.counts.total = self.counts.total.saturating_sub(1);
            let replaced = if redo.skipped {
                &mut self.counts.skipped
            } else {
                &mut self.counts.processed
            };
            *replaced = replaced.saturating_sub(1);
        }
    }

    /// Entries that replace earlier entries with lost output: index of the newest entry, by the place of the datum.
    pub(crate) fn redone(&self) -> &BTreeMap<u64, u64> {
        &self.redone
    }

    /// True if the manifest has the datum, and its verdict is outstanding.
    pub(crate) fn is_outstanding(&self, index: u64) -> bool {
        let before = self.open.range(..=index).next_back();
        before.is_some_and(|(first, open)| {
            let place = usize::try_from(index - first).unwrap_or(usize::MAX);
            open.pending.get(place).is_some_and(|pending| *pending)
        })
    }

    /// Counts a verdict.
    pub(crate) fn note(&mut self, verdict: Verdict) -> TallyChange {
        if verdict.index >= self.known {
            return TallyChange::Unknown;
        }
        let Some((&first, open)) = self.open.range_mut(..=verdict.index).next_back() else {
            return TallyChange::Known;
        };
        let place = usize::try_from(verdict.index - first).unwrap_or(usize::MAX);
        match open.pending.get_mut(place) {
            Some(pending) if *pending => *pending = false,
            _ => return TallyChange::Known,
        }
        open.outstanding -= 1;
        count_state(&mut self.counts, verdict.state);
        if verdict.taken_from.is_some() {
            count_state(&mut self.taken, verdict.state);
        }
        add_stats(&mut self.stats, &verdict.stats);
        if let Some(usage) = &verdict.usage {
            self.usage.add(verdict.index, usage);
            self.learned.learn(&verdict);
        }
        if let (VerdictState::Failed, Some(cause)) = (verdict.state, &verdict.cause) {
            self.failures.add(verdict.index, cause);
        }
        open.verdicts.push(verdict);
        if open.outstanding > 0 {
            return TallyChange::New;
        }
        match self.open.remove(&first) {
            Some(complete) => complete.seal(),
            None => TallyChange::New,
        }
    }

    /// True while datums of the segment are outstanding.
    pub(crate) fn is_open(&self, segment: Segment) -> bool {
        self.open.contains_key(&segment.first)
    }

    /// Segments with outstanding datums.
    pub(crate) fn open_segments(&self) -> Vec<Segment> {
        self.open.values().map(|open| open.segment).collect()
    }

    /// Datums without a verdict.
    pub(crate) fn outstanding(&self) -> IndexRanges {
        let mut outstanding = IndexRanges::default();
        for open in self.open.values() {
            let pending = open.segment.indexes().zip(&open.pending);
            for (index, _) in pending.filter(|(_, pending)| **pending) {
                outstanding.insert(index..index + 1);
            }
        }
        outstanding
    }

    /// Number of datums known so far; all smaller indexes are known.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// Datums by outcome.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Datums taken over from an earlier job, by outcome: failed and recovered.
    pub(crate) fn taken(&self) -> Counts {
        self.taken
    }

    /// Datums run to their end in the current job, neither skipped nor taken over.
    pub(crate) fn worked(&self) -> u64 {
        self.counts.ended() - self.counts.skipped - self.taken.ended()
    }

    /// Sums over the datums that ended.
    pub(crate) fn stats(&self) -> StageStats {
        self.stats
    }

    /// Resources that the commands used so far.
    pub(crate) fn usage(&self) -> Option<ResourceSummary> {
        self.usage.summary()
    }

    /// Needs of the datums, for later predictions.
    pub(crate) fn learned(&self) -> &UsageModel {
        &self.learned
    }

    /// The failures so far.
    pub(crate) fn failures(&self) -> &FailureGroups {
        &self.failures
    }
}

impl OpenSegment {
    fn seal(mut self) -> TallyChange {
        self.verdicts.sort_by_key(|verdict| verdict.index);
        TallyChange::Complete(self.segment, self.verdicts)
    }
}

fn count_state(counts: &mut Counts, state: VerdictState) {
    match state {
        VerdictState::Success => counts.processed += 1,
        VerdictState::Recovered => counts.recovered += 1,
        VerdictState::Failed => counts.failed += 1,
    }
}

fn add_stats(sum: &mut StageStats, stats: &StageStats) {
    sum.download_bytes = sum.download_bytes.saturating_add(stats.download_bytes);
    sum.upload_bytes = sum.upload_bytes.saturating_add(stats.upload_bytes);
    sum.download_time_s += stats.download_time_s;
    sum.process_time_s += stats.process_time_s;
    sum.upload_time_s += stats.upload_time_s;
    sum.wasted_time_s += stats.wasted_time_s;
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |sum, _| sum + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples::verdict;
    use drover_shared::datum::Cause;
    use proptest::prelude::*;

    fn segment(first: u64, count: u64) -> Segment {
        Segment { first, count }
    }

    /// Two segments, 0..4 with datum 1 skipped and 4..6.
    fn tally() -> Tally {
        let mut tally = Tally::default();
        tally.open(segment(0, 4), &[false, true, false, false]);
        tally.open(segment(4, 2), &[false, false]);
        tally
    }

    fn ended(index: u64) -> Verdict {
        let state = match index {
            2 => VerdictState::Failed,
            5 => VerdictState::Recovered,
            _ => VerdictState::Success,
        };
        let cause = (index == 2).then(|| Cause::Timeout {
            last_line: String::new(),
        });
        Verdict {
            cause,
            ..verdict(index, state, &[])
        }
    }

    #[test]
    fn a_verdict_told_twice_counts_once() {
        let mut tally = tally();
        assert_eq!(tally.note(ended(0)), TallyChange::New);
        assert_eq!(tally.note(ended(0)), TallyChange::Known);
        assert_eq!(
            tally.counts(),
            Counts {
                total: 6,
                processed: 1,
                skipped: 1,
                ..Counts::default()
            }
        );
    }

    #[test]
    fn the_last_verdict_of_a_segment_completes_it() {
        let mut tally = tally();
        assert_eq!(tally.note(ended(5)), TallyChange::New);
        assert_eq!(
            tally.note(ended(4)),
            TallyChange::Complete(segment(4, 2), vec![ended(4), ended(5)])
        );
        assert_eq!(
            tally.note(ended(4)),
            TallyChange::Known,
            "a complete segment is closed"
        );
        assert_eq!(tally.open_segments(), [segment(0, 4)]);
        let outstanding = [0, 2, 3].into_iter().collect();
        assert_eq!(tally.outstanding(), outstanding, "1 is skipped");
    }

    #[test]
    fn verdicts_on_datums_that_are_skipped_or_unheard_of_change_nothing() {
        let mut tally = tally();
        assert_eq!(tally.note(ended(1)), TallyChange::Known);
        assert_eq!(tally.note(ended(6)), TallyChange::Unknown);
        assert_eq!(tally.note(ended(u64::MAX)), TallyChange::Unknown);
        assert_eq!(tally.counts().ended(), 1);
    }

    #[test]
    fn a_segment_of_skipped_datums_is_never_open() {
        let mut tally = Tally::default();
        tally.open(segment(0, 3), &[true; 3]);
        assert_eq!(tally.open_segments(), []);
        assert_eq!(
            tally.counts(),
            Counts {
                total: 3,
                skipped: 3,
                ..Counts::default()
            }
        );
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_of_reports_ends_in_the_same_books(
            order in Just(vec![0_u64, 2, 3, 4, 5]).prop_shuffle(),
            repeats in proptest::collection::vec((0..8_usize, 0..8_u64), 0..20),
        ) {
            let mut told = order;
            for (at, index) in repeats {
                told.insert(at.min(told.len()), index);
            }
            let mut tally = tally();
            let events = told.iter().filter(|index| {
                matches!(tally.note(ended(**index)), TallyChange::New | TallyChange::Complete(..))
            }).count();
            prop_assert_eq!(events, 5);
            let expected = Counts { total: 6, processed: 3, skipped: 1, failed: 1, recovered: 1 };
            prop_assert_eq!(tally.counts(), expected);
            prop_assert!((tally.stats().process_time_s - 1.25).abs() < 1e-9);
            prop_assert_eq!(tally.failures().summary(), "timeout (1)");
            prop_assert_eq!(tally.open_segments(), vec![]);
        }
    }
}
