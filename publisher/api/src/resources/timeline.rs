//! A job over time, computed from verdicts: utilization of workers, throughput and latency.

use std::collections::BTreeMap;

use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::WorkerId;
use drover_shared::ledger::Segment;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jobs::JobPath;
use super::scan::TimeBudget;
use crate::routing::error::Error;
use crate::routing::query::Bounded;
use crate::routing::route::ApiRequest;

/// Maximum number of workers with a line of their own.
const MAX_WORKERS: usize = 200;
/// Approximate number of verdicts that are decoded of a large job, more than a chart can show.
const SAMPLED_VERDICTS: u64 = 50_000;
/// Shortest latency that is distinguished, in seconds.
const MIN_LATENCY_S: f64 = 0.000_1;
/// Ratio between neighbouring classes of latency.
const CLASS_RATIO: f64 = 1.04;

/// Resolution of the timeline.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TimelineQuery {
    /// Number of buckets.
    #[serde(default)]
    buckets: Bounded<120, 500>,
}

/// A job over time, in buckets of equal length.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Timeline {
    /// Begin of the first bucket.
    #[schemars(with = "String", extend("format" = "date-time"))]
    from: Timestamp,
    /// End of the last bucket: the end of the job, or now.
    #[schemars(with = "String", extend("format" = "date-time"))]
    to: Timestamp,
    /// Length of a bucket in seconds.
    bucket: f64,
    /// The first 200 workers.
    workers: Vec<WorkerLine>,
    /// Ended datums by bucket.
    throughput: Vec<f64>,
    /// Latency of datums in seconds.
    latency: Latency,
    /// Latency of the datums that ended in each bucket.
    latency_by_bucket: Latencies,
    /// Average age in seconds, since the begin of the job, of the datums that began in a bucket.
    queue_age: Vec<f64>,
    /// Share of the job that was read; counts are scaled up accordingly.
    sampled: f64,
}

/// A worker over time.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
struct WorkerLine {
    worker: WorkerId,
    /// Busy share of each bucket, at most 1; concurrent datums are summed.
    busy: Vec<f64>,
    /// Ended datums by bucket.
    ended: Vec<f64>,
    /// Failed datums by bucket.
    failed: Vec<f64>,
}

/// Percentiles of latency in seconds.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
struct Latency {
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
}

/// [`Latency`] of each bucket; null for an empty bucket.
#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
struct Latencies {
    p50: Vec<Option<f64>>,
    p90: Vec<Option<f64>>,
    p99: Vec<Option<f64>>,
}

pub(crate) async fn show(
    ApiRequest {
        api, path, query, ..
    }: ApiRequest<JobPath, TimelineQuery>,
) -> Result<Timeline, Error> {
    let record = api.named(path.id).await?;
    let from = record.started.unwrap_or(record.created);
    let to = record.finished.unwrap_or_else(Timestamp::now);
    let mut builder = TimelineBuilder::new(from, to, query.buckets.get());
    let budget = TimeBudget::begin();
    let segments = api.ledger().segments(path.id).await?;
    let (mut looked_at, all) = (0, segments.iter().map(|segment| segment.count).sum::<u64>());
    let nth = (all / SAMPLED_VERDICTS).max(1);
    let step = usize::try_from(nth).unwrap_or(usize::MAX);
    for segment in spread(&segments) {
        let sample = api.ledger().sample_verdicts(path.id, segment, step).await?;
        // Verdicts taken over from an earlier job took no time in the job.
        let own = |verdict: &&Verdict| verdict.taken_from.is_none();
        sample
            .iter()
            .filter(own)
            .for_each(|verdict| builder.take(verdict));
        looked_at += segment.count;
        if budget.is_over() {
            break;
        }
    }
    let sampled = if all == 0 {
        1.0
    } else {
        number(looked_at) / number(all) / number(nth)
    };
    Ok(builder.finish(sampled))
}

/// The segments in an order of which every prefix is spread evenly over the job.
fn spread(segments: &[Segment]) -> Vec<Segment> {
    let mut spread: Vec<(usize, Segment)> = segments
        .iter()
        .enumerate()
        .map(|(at, segment)| (at.reverse_bits(), *segment))
        .collect();
    spread.sort_by_key(|(place, _)| *place);
    spread.into_iter().map(|(_, segment)| segment).collect()
}

/// Builder of a timeline; its memory depends on the number of buckets only.
struct TimelineBuilder {
    from: Timestamp,
    to: Timestamp,
    /// Length of a bucket in seconds.
    bucket: f64,
    workers: BTreeMap<WorkerId, WorkerTotals>,
    throughput: Vec<u64>,
    /// By bucket, the number of begun datums and the sum of the ages.
    begun: Vec<(u64, f64)>,
    /// By bucket, a histogram of the latencies of ended datums.
    latencies: Vec<LatencyHistogram>,
}

/// Number of datums by class of latency.
type LatencyHistogram = BTreeMap<i32, u64>;

#[derive(Clone)]
struct WorkerTotals {
    busy: Vec<f64>,
    ended: Vec<u64>,
    failed: Vec<u64>,
}

impl TimelineBuilder {
    fn new(from: Timestamp, to: Timestamp, buckets: usize) -> Self {
        let length = seconds(from, to.max(from)).max(0.001);
        Self {
            from,
            to: to.max(from),
            bucket: length / number(buckets as u64),
            workers: BTreeMap::new(),
            throughput: vec![0; buckets],
            begun: vec![(0, 0.0); buckets],
            latencies: vec![LatencyHistogram::new(); buckets],
        }
    }

    fn take(&mut self, verdict: &Verdict) {
        let began = seconds(self.from, verdict.started);
        let ended = seconds(self.from, verdict.finished).max(began);
        let (first, last) = (self.place(began), self.place(ended));
        self.throughput[last] += 1;
        let (count, age) = &mut self.begun[first];
        (*count, *age) = (*count + 1, *age + began.max(0.0));
        *self.latencies[last]
            .entry(class(ended - began))
            .or_default() += 1;
        let (buckets, bucket) = (self.throughput.len(), self.bucket);
        let Some(line) = self.line(&verdict.worker, buckets) else {
            return;
        };
        line.ended[last] += 1;
        line.failed[last] += u64::from(verdict.state == VerdictState::Failed);
        for place in first..=last {
            let left = number(place as u64) * bucket;
            let within = ended.min(left + bucket) - began.max(left);
            line.busy[place] += (within / bucket).max(0.0);
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
                ended: vec![0; buckets],
                failed: vec![0; buckets],
            };
            self.workers.insert(worker.clone(), line);
        }
        self.workers.get_mut(worker)
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

    fn finish(self, sampled: f64) -> Timeline {
        let scaled = |counts: &[u64]| {
            counts
                .iter()
                .map(|count| number(*count) / sampled)
                .collect()
        };
        let busy = |part: &f64| (part / sampled).min(1.0);
        let mut all = LatencyHistogram::new();
        let mut latency_by_bucket = Latencies::default();
        for classes in &self.latencies {
            let Latency { p50, p90, p99 } = Latency::of(classes);
            latency_by_bucket.p50.push(p50);
            latency_by_bucket.p90.push(p90);
            latency_by_bucket.p99.push(p99);
            for (class, count) in classes {
                *all.entry(*class).or_default() += count;
            }
        }
        let age = |(count, sum): &(u64, f64)| {
            if *count == 0 {
                0.0
            } else {
                sum / number(*count)
            }
        };
        Timeline {
            from: self.from,
            to: self.to,
            bucket: self.bucket,
            throughput: scaled(&self.throughput),
            queue_age: self.begun.iter().map(age).collect(),
            latency: Latency::of(&all),
            latency_by_bucket,
            sampled,
            workers: self
                .workers
                .into_iter()
                .map(|(worker, line)| WorkerLine {
                    worker,
                    busy: line.busy.iter().map(busy).collect(),
                    ended: scaled(&line.ended),
                    failed: scaled(&line.failed),
                })
                .collect(),
        }
    }
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
    let all: u64 = classes.values().sum();
    let mut so_far = 0;
    classes.iter().find_map(|(class, count)| {
        so_far += count;
        (number(so_far) >= part * number(all)).then(|| MIN_LATENCY_S * CLASS_RATIO.powi(*class))
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
    use drover_shared::datum::StageStats;
    use drover_shared::id::DatumId;

    use super::*;

    fn at(second: f64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs_f64(second)
    }

    fn verdict(index: u64, worker: &str, started: f64, finished: f64) -> Verdict {
        Verdict {
            index,
            datum: DatumId::from_bytes([0; 16]),
            state: if index == 3 {
                VerdictState::Failed
            } else {
                VerdictState::Success
            },
            attempts: 1,
            worker: worker.parse().unwrap(),
            cause: None,
            staged: String::new(),
            outputs: Vec::new(),
            stats: StageStats::default(),
            started: at(started),
            finished: at(finished),
            taken_from: None,
        }
    }

    #[test]
    fn time_is_shared_out_among_buckets_and_workers() {
        let mut builder = TimelineBuilder::new(at(0.0), at(4.0), 4);
        for verdict in [
            verdict(0, "a", 0.0, 1.5),
            verdict(1, "b", 0.5, 0.75),
            verdict(2, "b", 2.0, 3.0),
            verdict(3, "b", 3.0, 3.5),
        ] {
            builder.take(&verdict);
        }
        let timeline = builder.finish(1.0);
        assert_eq!(timeline.throughput, [1.0, 1.0, 0.0, 2.0]);
        assert_eq!(timeline.queue_age, [0.25, 0.0, 2.0, 3.0]);
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

    #[test]
    fn a_part_stands_for_the_whole_and_moments_outside_are_taken_in() {
        let mut builder = TimelineBuilder::new(at(10.0), at(12.0), 2);
        builder.take(&verdict(0, "a", 9.0, 10.5));
        builder.take(&verdict(1, "a", 11.0, 99.0));
        let timeline = builder.finish(0.5);
        assert_eq!(timeline.throughput, [2.0, 2.0]);
        assert_eq!(timeline.workers[0].busy, [1.0, 1.0]);
        let nothing = TimelineBuilder::new(at(1.0), at(1.0), 3).finish(1.0);
        assert_eq!((nothing.throughput.len(), nothing.latency.p50), (3, None));
    }

    #[test]
    fn every_beginning_of_a_spread_reaches_far() {
        let segments: Vec<Segment> = (0..64).map(|first| Segment { first, count: 1 }).collect();
        let order = spread(&segments);
        let reached = |n: usize| {
            order[..n]
                .iter()
                .map(|segment| segment.first)
                .max()
                .unwrap()
        };
        assert_eq!((reached(2), reached(4), order.len()), (32, 48, 64));
    }
}
