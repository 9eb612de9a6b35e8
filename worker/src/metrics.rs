//! What a worker counts and measures. The names are a contract (`docs/operations.md`), all of them stand here.
//!
//! Labels have few values, never a job's or a datum's id. Without a recorder (`drover run`) all of this does nothing.

use drover_shared::datum::{Cause, Verdict, VerdictState};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Datums that ended by this worker's verdict, by `state`: success, failed, recovered.
const DATUMS: &str = "drover_datums_total";
/// Datums that turned out to have ended by an earlier verdict.
const DUPLICATES: &str = "drover_duplicates_total";
/// Runs of the command, by `outcome`; `err_cmd` is none.
const ATTEMPTS: &str = "drover_attempts_total";
/// Messages that somebody else, or this worker, had been given before.
const REDELIVERIES: &str = "drover_redeliveries_total";
/// Messages by how they were answered: ack, `hand_back`, reject, silence.
const MESSAGES: &str = "drover_messages_total";
/// Runner processes that died while they ran a datum.
const RUNNER_DEATHS: &str = "drover_runner_deaths_total";

/// Time to make the inputs of a datum ready.
const STAGE: &str = "drover_stage_seconds";
/// Time that all runs of a datum's command took together.
const EXECUTE: &str = "drover_execute_seconds";
/// Time to move the output of a datum into the store.
const UPLOAD: &str = "drover_upload_seconds";
/// Bytes of the inputs of datums that ran.
const DOWNLOADED: &str = "drover_downloaded_bytes_total";
/// Bytes of the outputs of datums that succeeded.
const UPLOADED: &str = "drover_uploaded_bytes_total";

/// Datums that can run at the same time.
const SLOTS: &str = "drover_slots";
/// Slots in use.
const SLOTS_BUSY: &str = "drover_slots_busy";
/// Datums in hand: those running, those made ready, those waiting.
const IN_FLIGHT: &str = "drover_in_flight";
/// Whether the connection to the broker is there: 1, or 0.
const QUEUE_LINK: &str = "drover_queue_link";

/// Upper bounds of the histograms, in seconds: from a datum that does nothing to one that takes an hour.
pub(crate) const BUCKETS_S: [f64; 12] = [
    0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0, 120.0, 600.0, 1800.0, 3600.0,
];

/// Tells the recorder what the names mean.
pub(crate) fn describe() {
    describe_counter!(
        DATUMS,
        "datums that ended by this worker's verdict, by state"
    );
    describe_counter!(
        DUPLICATES,
        "datums that turned out to have ended by an earlier verdict"
    );
    describe_counter!(ATTEMPTS, "runs of the command, by outcome");
    describe_counter!(REDELIVERIES, "messages that had been delivered before");
    describe_counter!(MESSAGES, "messages by how they were answered");
    describe_counter!(
        RUNNER_DEATHS,
        "runner processes that died while they ran a datum"
    );
    describe_histogram!(
        STAGE,
        Unit::Seconds,
        "time to make the inputs of a datum ready"
    );
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
    describe_counter!(
        DOWNLOADED,
        Unit::Bytes,
        "bytes of the inputs of datums that ran"
    );
    describe_counter!(
        UPLOADED,
        Unit::Bytes,
        "bytes of the outputs of datums that succeeded"
    );
    describe_gauge!(SLOTS, "datums that can run at the same time");
    describe_gauge!(SLOTS_BUSY, "slots in use");
    describe_gauge!(IN_FLIGHT, "datums in hand: running, made ready, or waiting");
    describe_gauge!(QUEUE_LINK, "whether the connection to the broker is there");
}

/// So many slots there are.
pub(crate) fn slots(count: u32) {
    gauge!(SLOTS).set(count);
}

/// So many slots more are in use, or fewer.
pub(crate) fn slots_busy(change: i32) {
    gauge!(SLOTS_BUSY).increment(change);
}

/// So many datums more are in hand, or fewer.
pub(crate) fn in_flight(change: i32) {
    gauge!(IN_FLIGHT).increment(change);
}

/// Whether the connection to the broker is there now.
pub(crate) fn queue_link(is_up: bool) {
    gauge!(QUEUE_LINK).set(i32::from(is_up));
}

/// A message came, after so many deliveries before.
pub(crate) fn delivered(redeliveries: u32) {
    if redeliveries > 0 {
        counter!(REDELIVERIES).increment(1);
    }
}

/// A message was answered.
pub(crate) fn answered(answer: &'static str) {
    counter!(MESSAGES, "answer" => answer).increment(1);
}

/// A runner died at its work.
pub(crate) fn runner_died() {
    counter!(RUNNER_DEATHS).increment(1);
}

/// A command ran and its output was looked at: it succeeded, or failed for this cause.
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
        Some(Cause::WorkerDied { .. }) => "worker_died",
    };
    counter!(ATTEMPTS, "outcome" => outcome).increment(1);
}

/// A datum has ended; by this worker's verdict, if it was the first.
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
    if verdict.attempts == 0 {
        return;
    }
    let took = &verdict.stats;
    histogram!(STAGE).record(took.download_time_s);
    histogram!(EXECUTE).record(took.process_time_s);
    histogram!(UPLOAD).record(took.upload_time_s);
    counter!(DOWNLOADED).increment(took.download_bytes);
    counter!(UPLOADED).increment(took.upload_bytes);
}
