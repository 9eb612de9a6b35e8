//! The next action on a Lease: a pure function of its content and of the time since its last change.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

/// Lifetime of a Lease that is not renewed.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(15);
/// Interval between two renewals by the holder.
pub(super) const RENEW_INTERVAL: Duration = Duration::from_secs(4);
/// Time without a successful renewal after which the holder steps down; well before another candidate may acquire the
/// Lease.
pub(super) const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time for one request about the Lease. Short enough to try again on a new connection within [`RENEW_DEADLINE`].
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Interval between two looks of a candidate that does not hold the Lease.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// The last observed version of the Lease, and the time since which the Lease has had that version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LeaseObservation {
    version: Option<String>,
    since: Instant,
}

/// The next action on a Lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LeaseAction {
    /// Nobody holds the Lease.
    Acquire,
    /// This candidate holds the Lease.
    Renew,
    /// Another candidate holds the Lease.
    Wait,
}

impl LeaseObservation {
    /// The observation after the Lease was read at `now`.
    pub(super) fn of(lease: &Lease, before: Option<Self>, now: Instant) -> Self {
        let version = lease.metadata.resource_version.clone();
        match before {
            Some(before) if before.version == version => before,
            _ => Self {
                version,
                since: now,
            },
        }
    }

    /// The action of the candidate `me`.
    pub(super) fn step(&self, lease: &Lease, me: &str, now: Instant) -> LeaseAction {
        let spec = lease.spec.as_ref();
        let holder = spec
            .and_then(|spec| spec.holder_identity.as_deref())
            .unwrap_or_default();
        let promised = spec.and_then(|spec| spec.lease_duration_seconds);
        let promised = promised.and_then(|seconds| u64::try_from(seconds).ok());
        let holds_for = promised.map_or(LEASE_DURATION, Duration::from_secs);
        if holder == me {
            LeaseAction::Renew
        } else if holder.is_empty() || now.duration_since(self.since) > holds_for {
            LeaseAction::Acquire
        } else {
            LeaseAction::Wait
        }
    }
}
