//! What to do about a Lease: a pure function of what was seen of it and for how long.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

/// For how long a Lease holds that nobody renews.
pub(super) const HOLDS_FOR: Duration = Duration::from_secs(15);
/// How often the holder renews it.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How long the holder may fail to renew it before it steps down: well before others may take over.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// How often the others look.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The Lease as it was seen last, and since when it has looked so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sighting {
    version: Option<String>,
    since: Instant,
}

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Nobody has it: take it.
    Take,
    /// It is ours: renew it.
    Renew,
    /// Somebody else has it.
    Wait,
}

impl Sighting {
    /// What is known after the Lease was seen at `now`.
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

    /// What `me` does about the Lease.
    pub(super) fn step(&self, lease: &Lease, me: &str, now: Instant) -> Step {
        let spec = lease.spec.as_ref();
        let holder = spec
            .and_then(|spec| spec.holder_identity.as_deref())
            .unwrap_or_default();
        let promised = spec.and_then(|spec| spec.lease_duration_seconds);
        let promised = promised.and_then(|seconds| u64::try_from(seconds).ok());
        let holds_for = promised.map_or(HOLDS_FOR, Duration::from_secs);
        if holder == me {
            Step::Renew
        } else if holder.is_empty() || now.duration_since(self.since) > holds_for {
            Step::Take
        } else {
            Step::Wait
        }
    }
}
