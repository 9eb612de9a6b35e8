//! What the operator counts and measures. The names are a contract (`docs/kubernetes.md`), all of them stand here.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Looks at a pipeline, by `outcome`: success, waiting, store, kubernetes.
const LOOKS: &str = "drover_operator_reconciles_total";
/// Time that a look took.
const SECONDS: &str = "drover_operator_reconcile_seconds";
/// Whether this process is the one at work: 1, or 0.
const LEADER: &str = "drover_operator_leader";
/// Whether the connection to the broker is there: 1, or 0.
const QUEUE_LINK: &str = "drover_queue_link";

/// Upper bounds of the histogram, in seconds.
pub const BUCKETS_S: [f64; 7] = [0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 60.0];

/// Tells the recorder what the names mean.
pub fn describe() {
    describe_counter!(LOOKS, "looks at a pipeline, by outcome");
    describe_histogram!(SECONDS, Unit::Seconds, "time that a look took");
    describe_gauge!(LEADER, "whether this process is the one at work");
    describe_gauge!(QUEUE_LINK, "whether the connection to the broker is there");
}

/// A pipeline was looked at, and failed for this reason if any.
pub(crate) fn reconciled(failure: Option<&'static str>, took: Duration) {
    counter!(LOOKS, "outcome" => failure.unwrap_or("success")).increment(1);
    histogram!(SECONDS).record(took.as_secs_f64());
}

/// Whether this process is the one at work.
pub(crate) fn leads(leads: bool) {
    gauge!(LEADER).set(f64::from(u8::from(leads)));
}

/// Whether the connection to the broker is there now.
pub(crate) fn queue_link(is_up: bool) {
    gauge!(QUEUE_LINK).set(f64::from(u8::from(is_up)));
}
