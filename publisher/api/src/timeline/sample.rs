//! The ends of a job's datums, read segment by segment and remembered.
//!
//! A sealed segment never changes, so each is read once. If the time of a request does not suffice for all segments, the
//! answer is an estimate, and the next request reads on.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use drover_shared::datum::{StageStats, Verdict, VerdictState};
use drover_shared::id::{JobId, WorkerId};
use drover_shared::ledger::{Ledger, Segment};
use drover_shared::store::StoreError;
use jiff::Timestamp;

/// Approximate number of decoded verdicts of a large job, more than a chart can show.
const SAMPLED_VERDICTS: u64 = 50_000;
/// The number of remembered samples.
const REMEMBERED_JOBS: usize = 8;

/// An ended datum, as much of it as a chart needs.
#[derive(Clone, Debug)]
pub(super) struct EndedDatum {
    pub(super) finished: Timestamp,
    /// Seconds for which a slot was occupied until the end.
    pub(super) ran_s: f64,
    /// Seconds of staging, running and storing, without waiting ahead of its turn.
    pub(super) latency_s: f64,
    pub(super) worker: Arc<WorkerId>,
    pub(super) failed: bool,
}

impl EndedDatum {
    fn of(verdict: &Verdict, worker: Arc<WorkerId>) -> Self {
        let StageStats {
            download_time_s,
            process_time_s,
            upload_time_s,
            ..
        } = verdict.stats;
        let whole = verdict
            .finished
            .duration_since(verdict.started)
            .as_secs_f64()
            .max(0.0);
        let (ran, latency) = (
            process_time_s + upload_time_s,
            download_time_s + process_time_s + upload_time_s,
        );
        // Without times of the worker, the time since the claim is the best there is.
        let is_timed = latency > 0.0;
        Self {
            finished: verdict.finished,
            ran_s: if is_timed { ran } else { whole },
            latency_s: if is_timed { latency } else { whole },
            worker,
            failed: verdict.state == VerdictState::Failed,
        }
    }
}

/// A segment with its known ends; none for an unread segment.
pub(super) type SampledSegment = (Segment, Option<Vec<EndedDatum>>);

/// The sample of a job.
pub(crate) struct Sample {
    /// All segments, in order.
    pub(super) segments: Vec<SampledSegment>,
    /// Number of datums for each end.
    pub(super) step: u64,
}

/// The read segments of a job.
#[derive(Default)]
struct KnownSegments {
    step: u64,
    workers: BTreeMap<WorkerId, Arc<WorkerId>>,
    sealed: BTreeMap<u64, Vec<EndedDatum>>,
}

impl KnownSegments {
    /// Adapts the sealed segments to a larger step. Steps are powers of two, so each is a multiple of the one before.
    fn thin_out(&mut self, step: u64) {
        if self.step != 0 && self.step < step {
            let nth = usize::try_from(step / self.step).unwrap_or(usize::MAX);
            for ended in self.sealed.values_mut() {
                *ended = ended.iter().step_by(nth).cloned().collect();
            }
        }
        self.step = step;
    }

    fn ends(&mut self, verdicts: &[Verdict]) -> Vec<EndedDatum> {
        let mut ends = Vec::with_capacity(verdicts.len());
        // Verdicts taken over from an earlier job took no time in the job.
        for verdict in verdicts
            .iter()
            .filter(|verdict| verdict.taken_from.is_none())
        {
            let worker = self
                .workers
                .entry(verdict.worker.clone())
                .or_insert_with(|| Arc::new(verdict.worker.clone()));
            ends.push(EndedDatum::of(verdict, Arc::clone(worker)));
        }
        ends.sort_by_key(|ended| ended.finished);
        ends
    }
}

/// The samples of recent requests.
#[derive(Default)]
pub(crate) struct SampleCache(Mutex<VecDeque<(JobId, KnownSegments)>>);

impl SampleCache {
    /// The ends of a job's datums, as many as can be read until `is_over`; at least one segment is read each time.
    pub(crate) async fn sample(
        &self,
        ledger: &Ledger,
        job: JobId,
        is_over: impl Fn() -> bool,
    ) -> Result<Sample, StoreError> {
        let segments = ledger.segments(job).await?;
        let sealed: HashSet<u64> = ledger
            .sealed_segments(job)
            .await?
            .iter()
            .map(|segment| segment.first)
            .collect();
        let all: u64 = segments.iter().map(|segment| segment.count).sum();
        let step = (all / SAMPLED_VERDICTS).max(1).next_power_of_two();
        let nth = usize::try_from(step).unwrap_or(usize::MAX);
        let mut known = self.take(job);
        known.thin_out(step);
        let mut open = BTreeMap::new();
        for (read, segment) in to_read(&segments, &sealed, &known.sealed)
            .into_iter()
            .enumerate()
        {
            if read > 0 && is_over() {
                break;
            }
            let verdicts = ledger.sample_verdicts(job, segment, nth).await?;
            let ends = known.ends(&verdicts);
            if sealed.contains(&segment.first) {
                known.sealed.insert(segment.first, ends);
            } else {
                open.insert(segment.first, ends);
            }
        }
        let ends_of = |segment: Segment| {
            let known = known.sealed.get(&segment.first);
            let ends = known.or_else(|| open.get(&segment.first)).cloned();
            (segment, ends)
        };
        let sample = Sample {
            segments: segments.into_iter().map(ends_of).collect(),
            step,
        };
        self.put(job, known);
        Ok(sample)
    }

    fn take(&self, job: JobId) -> KnownSegments {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = jobs.iter().position(|(known, _)| *known == job);
        at.and_then(|at| jobs.remove(at))
            .map_or_else(KnownSegments::default, |(_, known)| known)
    }

    /// Remembers the segments; of two requests at once the later one counts.
    fn put(&self, job: JobId, known: KnownSegments) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|(other, _)| *other != job);
        jobs.push_back((job, known));
        if jobs.len() > REMEMBERED_JOBS {
            jobs.pop_front();
        }
    }
}

/// The segments to read: first the open ones, then unknown sealed ones in an order of which every prefix is spread evenly
/// over the job.
fn to_read(
    segments: &[Segment],
    sealed: &HashSet<u64>,
    known: &BTreeMap<u64, Vec<EndedDatum>>,
) -> Vec<Segment> {
    let mut unread: Vec<(bool, usize, Segment)> = segments
        .iter()
        .enumerate()
        .filter(|(_, segment)| !known.contains_key(&segment.first))
        .map(|(at, segment)| (sealed.contains(&segment.first), at.reverse_bits(), *segment))
        .collect();
    unread.sort_by_key(|(is_sealed, place, _)| (*is_sealed, *place));
    unread.into_iter().map(|(_, _, segment)| segment).collect()
}

#[cfg(test)]
mod tests {
    use drover_core::testing::samples::{entry, verdict};
    use drover_shared::store::Store;

    use super::*;

    #[test]
    fn open_segments_come_first_and_every_beginning_of_the_others_reaches_far() {
        let segments: Vec<Segment> = (0..64).map(|first| Segment { first, count: 1 }).collect();
        let sealed = (0..62).collect();
        let order: Vec<u64> = to_read(&segments, &sealed, &BTreeMap::new())
            .iter()
            .map(|segment| segment.first)
            .collect();
        assert_eq!(
            (&order[..2], &order[2..4], order.len()),
            (&[62, 63][..], &[0, 32][..], 64)
        );
        let known = BTreeMap::from([(0, Vec::new())]);
        assert_eq!(to_read(&segments, &sealed, &known)[2].first, 32);
    }

    #[test]
    fn time_spent_waiting_ahead_is_no_latency() {
        let worker = Arc::new("a".parse().unwrap());
        let mut ended = verdict(0, VerdictState::Success, &[]);
        ended.started = Timestamp::UNIX_EPOCH;
        ended.finished = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(9);
        ended.stats = StageStats {
            download_time_s: 0.25,
            process_time_s: 3.0,
            upload_time_s: 0.5,
            ..StageStats::default()
        };
        let timed = EndedDatum::of(&ended, Arc::clone(&worker));
        assert!((timed.latency_s - 3.75).abs() < 1e-9, "{timed:?}");
        assert!((timed.ran_s - 3.5).abs() < 1e-9, "{timed:?}");
        ended.stats = StageStats::default();
        let untimed = EndedDatum::of(&ended, worker);
        assert!((untimed.latency_s - 9.0).abs() < 1e-9, "{untimed:?}");
    }

    #[tokio::test]
    async fn a_sealed_segment_is_read_once_and_an_open_one_each_time() {
        let ledger = Ledger::new(Store::in_memory());
        let job = JobId::generate();
        for first in [0, 2] {
            let entries = [entry(first, None), entry(first + 1, None)];
            ledger.write_manifest(job, &entries).await.unwrap();
        }
        let ended = |index| verdict(index, VerdictState::Success, &[]);
        let sealed = Segment { first: 0, count: 2 };
        ledger
            .seal(job, sealed, &[ended(0), ended(1)])
            .await
            .unwrap();
        let cache = SampleCache::default();
        let counts = |sample: &Sample| -> Vec<usize> {
            let segments = sample.segments.iter();
            segments
                .map(|(_, ends)| ends.as_ref().map_or(99, Vec::len))
                .collect()
        };
        let first = cache.sample(&ledger, job, || false).await.unwrap();
        assert_eq!(counts(&first), [2, 0]);
        ledger.commit(job, &ended(2)).await.unwrap();
        let lost = drover_shared::store::layout::result(job, &sealed.to_string());
        ledger.store().delete(&lost).await.unwrap();
        ledger.seal(job, sealed, &[ended(0)]).await.unwrap();
        let second = cache.sample(&ledger, job, || false).await.unwrap();
        assert_eq!(counts(&second), [2, 1]);
    }
}
