//! Pure: ends of datums, gathered into buckets of time.

use std::collections::BTreeMap;

use drover_shared::id::WorkerId;
use jiff::Timestamp;

use super::answer::{Latencies, Latency, Timeline, WorkerLine};
use super::sample::{EndedDatum, Sample};

/// Maximum number of workers with a line of their own.
const MAX_WORKERS: usize = 200;
/// Shortest latency that is distinguished, in seconds.
const MIN_LATENCY_S: f64 = 0.000_1;
/// Ratio between neighbouring classes of latency.
const CLASS_RATIO: f64 = 1.04;

/// Builder of a timeline; its memory depends on the number of buckets only.
pub(crate) struct TimelineBuilder {
    from: Timestamp,
    to: Timestamp,
    /// Length of a bucket in seconds.
    bucket: f64,
    workers: BTreeMap<WorkerId, WorkerTotals>,
    throughput: Vec<f64>,
    /// By bucket, the number of begun datums and the sum of the ages.
    begun: Vec<(f64, f64)>,
    /// By bucket, a histogram of the latencies of ended datums.
    latencies: Vec<LatencyHistogram>,
    /// Number of datums in segments, and in those that were read.
    seen: (u64, u64),
    step: u64,
}

/// Weight of the datums by class of latency.
type LatencyHistogram = BTreeMap<i32, f64>;

#[derive(Clone)]
struct WorkerTotals {
    busy: Vec<f64>,
    ended: Vec<f64>,
    failed: Vec<f64>,
}

/// Read ends, standing for the unread segments after them too.
struct Stretch<'a> {
    ends: &'a [EndedDatum],
    /// Number of datums for each end.
    weight: f64,
    /// The end of the unread segments, if there are any.
    until: Option<Timestamp>,
}

impl TimelineBuilder {
    pub(crate) fn new(from: Timestamp, to: Timestamp, buckets: usize) -> Self {
        let length = seconds(from, to.max(from)).max(0.001);
        Self {
            from,
            to: to.max(from),
            bucket: length / number(buckets as u64),
            workers: BTreeMap::new(),
            throughput: vec![0.0; buckets],
            begun: vec![(0.0, 0.0); buckets],
            latencies: vec![LatencyHistogram::new(); buckets],
            seen: (0, 0),
            step: 1,
        }
    }

    /// Adds the sample of a job.
    pub(crate) fn take(&mut self, sample: &Sample) {
        self.step = sample.step;
        for (segment, ends) in &sample.segments {
            self.seen.0 += segment.count;
            self.seen.1 += ends.as_ref().map_or(0, |_| segment.count);
        }
        for stretch in stretches(sample) {
            self.take_stretch(&stretch);
        }
    }

    fn take_stretch(&mut self, stretch: &Stretch<'_>) {
        let [first, .., last] = stretch.ends else {
            stretch
                .ends
                .iter()
                .for_each(|ended| self.note(ended, self.since(ended.finished), stretch.weight));
            return;
        };
        let (begin, end) = (self.since(first.finished), self.since(last.finished));
        let factor = match stretch.until {
            // The last end comes as long before the next read end as ends are apart.
            Some(until) if end > begin => {
                let count = number(stretch.ends.len() as u64);
                let whole = (self.since(until) - begin) / (end - begin);
                (whole * (count - 1.0) / count).max(1.0)
            }
            _ => 1.0,
        };
        for ended in stretch.ends {
            let at = begin + (self.since(ended.finished) - begin) * factor;
            self.note(ended, at, stretch.weight);
        }
    }

    /// Counts an end at a moment in seconds from the begin.
    fn note(&mut self, datum: &EndedDatum, ended: f64, weight: f64) {
        let began = ended - datum.ran_s;
        let (first, last) = (self.place(began), self.place(ended));
        self.throughput[last] += weight;
        let (count, age) = &mut self.begun[first];
        (*count, *age) = (*count + weight, *age + weight * began.max(0.0));
        *self.latencies[last]
            .entry(class(datum.latency_s))
            .or_default() += weight;
        let (buckets, bucket) = (self.throughput.len(), self.bucket);
        let Some(line) = self.line(&datum.worker, buckets) else {
            return;
        };
        line.ended[last] += weight;
        line.failed[last] += if datum.failed { weight } else { 0.0 };
        for place in first..=last {
            let left = number(place as u64) * bucket;
            let within = ended.min(left + bucket) - began.max(left);
            line.busy[place] += (weight * within / bucket).max(0.0);
        }
    }

    /// Totals of a worker; none above [`MAX_WORKERS`].
    fn line(&mut self, worker: &WorkerId, buckets: usize) -> Option<&mut WorkerTotals> {
        if !self.workers.contains_key(worker) {
            if self.workers.len() == MAX_WORKERS {
                return None;
            }
            let line = WorkerTotals {
                busy: vec![0.0; buckets],
                ended: vec![0.0; buckets],
                failed: vec![0.0; buckets],
            };
            self.workers.insert(worker.clone(), line);
        }
        self.workers.get_mut(worker)
    }

    fn since(&self, moment: Timestamp) -> f64 {
        seconds(self.from, moment)
    }

    /// Bucket of a moment in seconds from the begin.
    fn place(&self, moment: f64) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not negative, and bounded below"
        )]
        let place = (moment / self.bucket).max(0.0) as usize;
        place.min(self.throughput.len() - 1)
    }

    pub(crate) fn finish(self) -> Timeline {
        let mut all = LatencyHistogram::new();
        let mut latency_by_bucket = Latencies::default();
        for classes in &self.latencies {
            let Latency { p50, p90, p99 } = Latency::of(classes);
            latency_by_bucket.p50.push(p50);
            latency_by_bucket.p90.push(p90);
            latency_by_bucket.p99.push(p99);
            for (class, weight) in classes {
                *all.entry(*class).or_default() += weight;
            }
        }
        let age = |(count, sum): &(f64, f64)| (*count > 0.0).then(|| sum / count);
        let (known, read) = self.seen;
        let share = if known == 0 {
            1.0
        } else {
            number(read) / number(known)
        };
        Timeline {
            from: self.from,
            to: self.to,
            bucket: self.bucket,
            throughput: self.throughput,
            queue_age: self.begun.iter().map(age).collect(),
            latency: Latency::of(&all),
            latency_by_bucket,
            sampled: share / number(self.step),
            workers: self
                .workers
                .into_iter()
                .map(|(worker, line)| WorkerLine {
                    worker,
                    busy: line.busy.iter().map(|part| part.min(1.0)).collect(),
                    ended: line.ended,
                    failed: line.failed,
                })
                .collect(),
        }
    }
}

/// The read segments, each with the time up to the next read segment.
fn stretches(sample: &Sample) -> Vec<Stretch<'_>> {
    let mut stretches: Vec<(Stretch<'_>, u64, u64)> = Vec::new();
    // Unread segments at the beginning count for the first read segment.
    let mut unread = 0;
    for (segment, ends) in &sample.segments {
        let ends = ends.as_deref().filter(|ends| !ends.is_empty());
        match (ends, stretches.last_mut()) {
            (None, Some((_, _, after))) if !is_read(sample, segment.first) => {
                *after += segment.count;
            }
            (None, None) if !is_read(sample, segment.first) => unread += segment.count,
            // Nothing of a read segment has ended, or all of it was skipped.
            (None, _) => {}
            (Some(ends), before) => {
                if let Some((before, _, after)) = before
                    && *after > 0
                {
                    before.until = ends.first().map(|ended| ended.finished);
                }
                let stretch = Stretch {
                    ends,
                    weight: 0.0,
                    until: None,
                };
                stretches.push((stretch, segment.count, std::mem::take(&mut unread)));
            }
        }
    }
    let weighted = stretches.into_iter().map(|(stretch, own, after)| Stretch {
        weight: number(sample.step) * number(own + after) / number(own),
        ..stretch
    });
    weighted.collect()
}

fn is_read(sample: &Sample, first: u64) -> bool {
    let place = sample
        .segments
        .binary_search_by_key(&first, |(segment, _)| segment.first);
    place.is_ok_and(|at| sample.segments[at].1.is_some())
}

impl Latency {
    fn of(classes: &LatencyHistogram) -> Self {
        Self {
            p50: quantile(classes, 0.5),
            p90: quantile(classes, 0.9),
            p99: quantile(classes, 0.99),
        }
    }
}

/// The latency that a share of `part` of all datums did not exceed.
fn quantile(classes: &LatencyHistogram, part: f64) -> Option<f64> {
    let all: f64 = classes.values().sum();
    let mut so_far = 0.0;
    classes.iter().find_map(|(class, weight)| {
        so_far += weight;
        (so_far >= part * all).then(|| MIN_LATENCY_S * CLASS_RATIO.powi(*class))
    })
}

/// Class of a latency. The classes grow by a constant ratio, so few suffice.
fn class(seconds: f64) -> i32 {
    let class = (seconds.max(MIN_LATENCY_S) / MIN_LATENCY_S).ln() / CLASS_RATIO.ln();
    #[expect(clippy::cast_possible_truncation, reason = "centuries are class 800")]
    let class = class.round() as i32;
    class
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts for charts")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drover_shared::ledger::Segment;

    use super::*;

    fn at(second: f64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs_f64(second)
    }

    fn ended(worker: &str, began: f64, finished: f64) -> EndedDatum {
        EndedDatum {
            finished: at(finished),
            ran_s: finished - began,
            latency_s: finished - began,
            worker: Arc::new(worker.parse().unwrap()),
            failed: false,
        }
    }

    fn whole(ends: Vec<EndedDatum>) -> Sample {
        let count = ends.len() as u64;
        Sample {
            segments: vec![(Segment { first: 0, count }, Some(ends))],
            step: 1,
        }
    }

    fn timeline(to: f64, buckets: usize, sample: &Sample) -> Timeline {
        let mut builder = TimelineBuilder::new(at(0.0), at(to), buckets);
        builder.take(sample);
        builder.finish()
    }

    #[test]
    fn time_is_shared_out_among_buckets_and_workers() {
        let mut failed = ended("b", 3.0, 3.5);
        failed.failed = true;
        let ends = vec![
            ended("b", 0.5, 0.75),
            ended("a", 0.0, 1.5),
            ended("b", 2.0, 3.0),
            failed,
        ];
        let timeline = timeline(4.0, 4, &whole(ends));
        assert_eq!(timeline.throughput, [1.0, 1.0, 0.0, 2.0]);
        let ages = [Some(0.25), None, Some(2.0), Some(3.0)];
        assert_eq!(timeline.queue_age, ages, "no age is not an age of 0");
        let [a, b] = &timeline.workers[..] else {
            panic!("two workers, not {:?}", timeline.workers);
        };
        assert_eq!(
            (a.busy.as_slice(), a.ended[1]),
            (&[1.0, 0.5, 0.0, 0.0][..], 1.0)
        );
        assert_eq!(b.busy, [0.25, 0.0, 1.0, 0.5]);
        assert_eq!(b.failed, [0.0, 0.0, 0.0, 1.0]);
        let p50 = timeline.latency.p50.unwrap();
        assert!((0.48..0.52).contains(&p50), "{p50}");
        let first = timeline.latency_by_bucket.p50[0].unwrap();
        assert!((0.24..0.26).contains(&first), "{first}");
        assert_eq!(timeline.latency_by_bucket.p99[2], None);
    }

    /// A job of 40 segments of 10 datums each, a datum ending every 100 ms, of which only some segments were read.
    #[test]
    fn unread_segments_make_no_peaks_and_no_gaps() {
        let segments = (0..40u64).map(|place| {
            let (first, count) = (place * 10, 10);
            let ends = (first..first + count).map(|index| {
                let finished = 0.1 * number(index + 1);
                ended("a", finished - 0.1, finished)
            });
            let is_read = place % 8 == 0 || place == 39;
            (Segment { first, count }, is_read.then(|| ends.collect()))
        });
        let sample = Sample {
            segments: segments.collect(),
            step: 1,
        };
        let timeline = timeline(40.0, 20, &sample);
        assert!((timeline.sampled - 0.15).abs() < 1e-9, "{timeline:?}");
        for (bucket, count) in timeline.throughput.iter().enumerate() {
            assert!((14.0..=30.0).contains(count), "{bucket}: {count} of 20");
        }
        let sum: f64 = timeline.throughput.iter().sum();
        assert!((sum - 400.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn segments_without_ends_stretch_nothing() {
        let segment = |first| Segment { first, count: 2 };
        let ends = vec![ended("a", 0.0, 1.0), ended("a", 1.0, 2.0)];
        let sample = Sample {
            segments: vec![
                (segment(0), Some(ends)),
                (segment(2), Some(Vec::new())),
                (segment(4), Some(Vec::new())),
            ],
            step: 1,
        };
        let timeline = timeline(6.0, 3, &sample);
        assert_eq!(timeline.throughput, [1.0, 1.0, 0.0]);
        assert!((timeline.sampled - 1.0).abs() < 1e-9);
    }

    #[test]
    fn moments_outside_are_taken_in() {
        let mut builder = TimelineBuilder::new(at(10.0), at(12.0), 2);
        builder.take(&whole(vec![ended("a", 9.0, 10.5), ended("a", 11.0, 99.0)]));
        let timeline = builder.finish();
        assert_eq!(timeline.throughput, [1.0, 1.0]);
        assert_eq!(timeline.workers[0].busy, [0.5, 1.0]);
        let nothing = TimelineBuilder::new(at(1.0), at(1.0), 3).finish();
        assert_eq!((nothing.throughput.len(), nothing.latency.p50), (3, None));
    }
}
