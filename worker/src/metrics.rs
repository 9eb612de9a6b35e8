//! The metrics of a worker. Their names are a contract (`docs/operations.md`).
//!
//! Labels have few values and never hold the id of a job or a datum. Without a recorder (`drover run`) nothing is counted.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use drover_shared::datum::{Cause, ResourceUsage, Verdict, VerdictState};
use drover_shared::units::whole_part;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Datums that ended by the current worker's verdict, by `state`: success, failed, recovered.
const DATUMS: &str = "drover_datums_total";
/// Datums that already had a verdict.
const DUPLICATES: &str = "drover_duplicates_total";
/// Runs of the command, by `outcome`; runs of `err_cmd` do not count.
const ATTEMPTS: &str = "drover_attempts_total";
/// Messages that had been delivered before.
const REDELIVERIES: &str = "drover_redeliveries_total";
/// Messages by how they were settled: ack, `hand_back`, reject, silence.
const MESSAGES: &str = "drover_messages_total";
/// Time of runs cut off with leaving workers.
const WASTED: &str = "drover_wasted_seconds_total";
/// Runner processes that died with a running datum.
const RUNNER_DEATHS: &str = "drover_runner_deaths_total";

/// Time to stage the inputs of a datum.
const STAGE: &str = "drover_stage_seconds";
/// Time that all runs of a datum's command took together.
const EXECUTE: &str = "drover_execute_seconds";
/// Time to move the output of a datum into the store.
const UPLOAD: &str = "drover_upload_seconds";
/// The most memory of a datum's commands.
pub(crate) const MEMORY: &str = "drover_memory_bytes";
/// Time of commands on CPUs.
const CPU: &str = "drover_cpu_milliseconds_total";
/// Bytes that commands read from disks.
const DISK_READ: &str = "drover_disk_read_bytes_total";
/// Bytes that commands wrote to disks.
const DISK_WRITTEN: &str = "drover_disk_written_bytes_total";
/// Bytes of the inputs of datums that ran.
const DOWNLOADED: &str = "drover_downloaded_bytes_total";
/// Looks for shared inputs in the cache of the machine, by `result`: hit, miss, bypass.
const CACHE_LOOKUPS: &str = "drover_cache_lookups_total";
/// Bytes of the outputs of datums that succeeded.
const UPLOADED: &str = "drover_uploaded_bytes_total";

/// Datums that can run at the same time.
const SLOTS: &str = "drover_slots";
/// Slots in use.
const SLOTS_BUSY: &str = "drover_slots_busy";
/// Time since a slot was last in use.
const IDLE: &str = "drover_idle_seconds";
/// Pipelines that the worker serves at the moment.
const PIPELINES: &str = "drover_pipelines_served";
/// Datums in flight: running, staged or waiting.
const IN_FLIGHT: &str = "drover_in_flight";
/// 1 while the broker is connected, else 0.
const QUEUE_LINK: &str = "drover_queue_link";

/// Upper bounds of the histograms in seconds: from empty datums to datums of an hour.
pub(crate) const BUCKETS_S: [f64; 12] = [
    0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0, 120.0, 600.0, 1800.0, 3600.0,
];

/// Upper bounds of the histogram of memory in bytes: from 16 MiB to 256 GiB.
pub(crate) const BUCKETS_BYTES: [f64; 15] = {
    let mut bounds = [16.0 * 1024.0 * 1024.0; 15];
    let mut at = 1;
    while at < bounds.len() {
        bounds[at] = bounds[at - 1] * 2.0;
        at += 1;
    }
    bounds
};

/// Registers the descriptions of all metrics.
pub(crate) fn describe() {
    describe_counter!(
        DATUMS,
        "datums that ended by this worker's verdict, by state"
    );
    describe_counter!(DUPLICATES, "datums that already had a verdict");
    describe_counter!(ATTEMPTS, "runs of the command, by outcome");
    describe_counter!(REDELIVERIES, "messages that had been delivered before");
    describe_counter!(MESSAGES, "messages by how they were settled");
    describe_counter!(
        RUNNER_DEATHS,
        "runner processes that died while they ran a datum"
    );
    describe_counter!(
        WASTED,
        Unit::Seconds,
        "time of earlier runs, cut off because their worker had to leave, of datums that ended here"
    );
    describe_histogram!(STAGE, Unit::Seconds, "time to stage the inputs of a datum");
    describe_histogram!(
        EXECUTE,
        Unit::Seconds,
        "time that all runs of a datum's command took"
    );
    describe_histogram!(
        UPLOAD,
        Unit::Seconds,
        "time to move the output of a datum into the store"
    );
    describe_histogram!(
        MEMORY,
        Unit::Bytes,
        "the most memory that the commands of a datum used at the same time"
    );
    describe_counter!(CPU, Unit::Milliseconds, "time of commands on CPUs");
    describe_counter!(
        DISK_READ,
        Unit::Bytes,
        "bytes that commands read from disks, without cached ones"
    );
    describe_counter!(
        DISK_WRITTEN,
        Unit::Bytes,
        "bytes that commands wrote to disks"
    );
    describe_counter!(
        DOWNLOADED,
        Unit::Bytes,
        "bytes of the inputs of datums that ran"
    );
    describe_counter!(
        CACHE_LOOKUPS,
        "looks for shared inputs in the cache of the machine, by result"
    );
    describe_counter!(
        UPLOADED,
        Unit::Bytes,
        "bytes of the outputs of datums that succeeded"
    );
    describe_gauge!(SLOTS, "datums that can run at the same time");
    describe_gauge!(SLOTS_BUSY, "slots in use");
    describe_gauge!(IDLE, Unit::Seconds, "time since a slot was last in use");
    describe_gauge!(PIPELINES, "pipelines that the worker serves at the moment");
    describe_gauge!(IN_FLIGHT, "datums in flight: running, staged, or waiting");
    describe_gauge!(QUEUE_LINK, "1 while the broker is connected, else 0");
    // A new worker without a datum shows all gauges, too.
    slots_busy(0);
    in_flight(0);
}

/// Sets the number of slots.
pub(crate) fn slots(count: u32) {
    gauge!(SLOTS).set(count);
}

/// Sets the number of pipelines that the worker serves.
pub(crate) fn pipelines_served(count: usize) {
    gauge!(PIPELINES).set(u32::try_from(count).unwrap_or(u32::MAX));
}

/// Changes the number of slots in use.
pub(crate) fn slots_busy(change: i32) {
    USE.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .change(change);
    gauge!(SLOTS_BUSY).increment(change);
}

/// Sets the time since a slot was last in use.
pub(crate) fn idle() {
    let idle = USE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .idle_for(Instant::now());
    gauge!(IDLE).set(idle.as_secs_f64());
}

static USE: Mutex<SlotUse> = Mutex::new(SlotUse {
    busy: 0,
    since: None,
});

/// The use of the slots of all workers of the process.
#[derive(Debug)]
struct SlotUse {
    busy: i32,
    /// Time of the last change; `None` before the first.
    since: Option<Instant>,
}

impl SlotUse {
    fn change(&mut self, change: i32) {
        self.busy += change;
        self.since = Some(Instant::now());
    }

    fn idle_for(&self, now: Instant) -> Duration {
        match self.since {
            Some(since) if self.busy == 0 => now.duration_since(since),
            Some(_) | None => Duration::ZERO,
        }
    }
}

/// Changes the number of datums in flight.
pub(crate) fn in_flight(change: i32) {
    gauge!(IN_FLIGHT).increment(change);
}

/// Sets whether the broker is connected.
pub(crate) fn queue_link(is_up: bool) {
    gauge!(QUEUE_LINK).set(i32::from(is_up));
}

/// Counts a delivered message.
pub(crate) fn delivered(redeliveries: u32) {
    if redeliveries > 0 {
        counter!(REDELIVERIES).increment(1);
    }
}

/// Counts a settled message.
pub(crate) fn answered(answer: &'static str) {
    counter!(MESSAGES, "answer" => answer).increment(1);
}

/// The result of a look into the cache of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CacheLookup {
    /// The input was there.
    Hit,
    /// The input was downloaded into the cache.
    Miss,
    /// The cache could not hold the input.
    Bypass,
}

/// Counts a look into the cache.
pub(crate) fn looked_up(lookup: CacheLookup) {
    let result = match lookup {
        CacheLookup::Hit => "hit",
        CacheLookup::Miss => "miss",
        CacheLookup::Bypass => "bypass",
    };
    counter!(CACHE_LOOKUPS, "result" => result).increment(1);
}

/// Counts a dead runner.
pub(crate) fn runner_died() {
    counter!(RUNNER_DEATHS).increment(1);
}

/// Counts an attempt: a success, or a failure for the cause.
pub(crate) fn attempted(failure: Option<&Cause>) {
    let outcome = match failure {
        None => "success",
        Some(Cause::Exit { .. }) => "exit",
        Some(Cause::Signal { .. }) => "signal",
        Some(Cause::GaveUp { .. }) => "gave_up",
        Some(Cause::Timeout { .. }) => "timeout",
        Some(Cause::Start { .. }) => "start",
        Some(Cause::Input { .. }) => "input",
        Some(Cause::Output { .. }) => "output",
        Some(Cause::Undeliverable { .. }) => "undeliverable",
        Some(Cause::Memory { .. }) => "memory",
        Some(Cause::Scratch { .. }) => "scratch",
        Some(Cause::WorkerDied { .. }) => "worker_died",
    };
    counter!(ATTEMPTS, "outcome" => outcome).increment(1);
}

/// Counts a datum that has ended; `first` is true if the current worker wrote the verdict.
pub(crate) fn ended(verdict: &Verdict, first: bool) {
    if !first {
        counter!(DUPLICATES).increment(1);
        return;
    }
    let state = match verdict.state {
        VerdictState::Success => "success",
        VerdictState::Failed => "failed",
        VerdictState::Recovered => "recovered",
    };
    counter!(DATUMS, "state" => state).increment(1);
    counter!(WASTED).increment(whole_part(verdict.stats.wasted_time_s.round()));
    if verdict.attempts == 0 {
        return;
    }
    let took = &verdict.stats;
    histogram!(STAGE).record(took.download_time_s);
    histogram!(EXECUTE).record(took.process_time_s);
    histogram!(UPLOAD).record(took.upload_time_s);
    counter!(DOWNLOADED).increment(took.download_bytes);
    counter!(UPLOADED).increment(took.upload_bytes);
    if let Some(usage) = &verdict.usage {
        used(usage);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an error of one in 2⁵³ bytes does not matter"
)]
fn used(usage: &ResourceUsage) {
    histogram!(MEMORY).record(usage.memory_bytes as f64);
    counter!(CPU).increment(whole_part(
        (usage.cpu_time_s.unwrap_or_default() * 1000.0).round(),
    ));
    counter!(DISK_READ).increment(usage.read_bytes);
    counter!(DISK_WRITTEN).increment(usage.written_bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_idle_since_its_last_slot_was_released() {
        let mut slots = SlotUse {
            busy: 0,
            since: None,
        };
        let later = || Instant::now() + Duration::from_secs(60);
        assert_eq!(slots.idle_for(later()), Duration::ZERO, "not started yet");
        slots.change(1);
        slots.change(1);
        slots.change(-1);
        assert_eq!(slots.idle_for(later()), Duration::ZERO);
        slots.change(-1);
        assert!(slots.idle_for(later()) >= Duration::from_secs(59));
    }
}
