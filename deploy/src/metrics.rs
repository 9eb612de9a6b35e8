//! The operator's metrics. The names are a contract that `docs/kubernetes.md` documents; all of them are defined here.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Reconciliations by `outcome`: success, waiting, store, kubernetes.
const RECONCILES: &str = "drover_operator_reconciles_total";
/// Duration of a reconciliation.
const RECONCILE_SECONDS: &str = "drover_operator_reconcile_seconds";
/// 1 if the current process leads, else 0.
const LEADER: &str = "drover_operator_leader";
/// 1 if the connection to the broker is up, else 0.
const QUEUE_LINK: &str = "drover_queue_link";

/// Upper bounds of the histogram, in seconds.
pub const BUCKETS_S: [f64; 7] = [0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 60.0];

/// Registers the help texts.
pub fn describe() {
    describe_counter!(RECONCILES, "reconciliations by outcome");
    describe_histogram!(
        RECONCILE_SECONDS,
        Unit::Seconds,
        "duration of a reconciliation"
    );
    describe_gauge!(LEADER, "1 if this process leads");
    describe_gauge!(QUEUE_LINK, "1 if the connection to the broker is up");
}

/// Records a finished reconciliation, and the kind of its error if it failed.
pub(crate) fn reconciled(failure: Option<&'static str>, took: Duration) {
    counter!(RECONCILES, "outcome" => failure.unwrap_or("success")).increment(1);
    histogram!(RECONCILE_SECONDS).record(took.as_secs_f64());
}

/// Records if the current process leads.
pub(crate) fn set_leader(leads: bool) {
    gauge!(LEADER).set(f64::from(u8::from(leads)));
}

/// Records if the connection to the broker is up.
pub(crate) fn set_queue_link(is_up: bool) {
    gauge!(QUEUE_LINK).set(f64::from(u8::from(is_up)));
}
