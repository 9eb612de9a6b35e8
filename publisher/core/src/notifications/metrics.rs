//! Metrics of deliveries. The names are a contract (`docs/operations.md`).

use metrics::{counter, describe_counter};

use super::decide::TryOutcome;

/// Tries to deliver an event, by `outcome`: delivered, failed, `given_up`.
const TRIES: &str = "drover_notification_tries_total";

/// Describes the metrics to the recorder.
pub fn describe() {
    describe_counter!(TRIES, "tries to deliver an event of a job, by outcome");
}

pub(super) fn tried(outcome: &TryOutcome, gives_up: bool) {
    let outcome = match outcome {
        TryOutcome::Delivered => "delivered",
        _ if gives_up => "given_up",
        _ => "failed",
    };
    counter!(TRIES, "outcome" => outcome).increment(1);
}
