//! Acquires, renews and releases the Lease.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep};

use super::observation::{
    LEASE_DURATION, LeaseAction, LeaseObservation, RENEW_DEADLINE, RENEW_INTERVAL, RETRY_INTERVAL,
};

/// The Lease was lost; another operator may lead now.
#[derive(Debug, thiserror::Error)]
#[error(
    "the Lease {lease} was lost and another operator may lead; this one exits to restart as a candidate"
)]
pub struct LeaseLost {
    lease: String,
}

/// An operator that competes for the Lease.
#[derive(Clone)]
pub struct LeaseCandidate {
    leases: Api<Lease>,
    lease: String,
    me: String,
}

impl LeaseCandidate {
    /// A candidate named `me`, which must be unique, for the Lease named `lease`.
    pub fn new(client: Client, namespace: &str, lease: &str, me: &str) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            lease: lease.to_owned(),
            me: me.to_owned(),
        }
    }

    /// Waits until this candidate holds the Lease. Cancel-safe: a Lease acquired meanwhile expires.
    pub async fn acquire(&self) {
        let mut last = None;
        loop {
            match self.try_acquire_or_renew(&mut last).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "cannot acquire the Lease {}; retrying", self.lease);
                }
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// Renews the Lease until it is lost.
    pub async fn renew_until_lost(&self) -> LeaseLost {
        let mut renewed = Instant::now();
        let mut last = None;
        while renewed.elapsed() < RENEW_DEADLINE {
            sleep(RENEW_INTERVAL).await;
            match self.try_acquire_or_renew(&mut last).await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => break,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "cannot renew the Lease {}; retrying", self.lease);
                }
            }
        }
        LeaseLost {
            lease: self.lease.clone(),
        }
    }

    /// Releases the Lease if this candidate holds it, so that the next candidate need not wait for the expiry.
    pub async fn release(&self) -> Result<(), kube::Error> {
        let Some(mut lease) = self.leases.get_opt(&self.lease).await? else {
            return Ok(());
        };
        let holder = lease
            .spec
            .as_mut()
            .and_then(|spec| spec.holder_identity.as_mut());
        match holder {
            Some(holder) if *holder == self.me => holder.clear(),
            _ => return Ok(()),
        }
        let released = self
            .leases
            .replace(&self.lease, &PostParams::default(), &lease)
            .await;
        written_or_lost(released).map(|_| ())
    }

    /// Acquires or renews the Lease if possible. Returns true if this candidate holds the Lease now.
    async fn try_acquire_or_renew(
        &self,
        last: &mut Option<LeaseObservation>,
    ) -> Result<bool, kube::Error> {
        let Some(lease) = self.leases.get_opt(&self.lease).await? else {
            let lease = self.lease_held_by_me(Lease::default(), true);
            return written_or_lost(self.leases.create(&PostParams::default(), &lease).await);
        };
        let now = Instant::now();
        let observation = LeaseObservation::of(&lease, last.take(), now);
        let step = observation.step(&lease, &self.me, now);
        *last = Some(observation);
        if step == LeaseAction::Wait {
            return Ok(false);
        }
        let lease = self.lease_held_by_me(lease, step == LeaseAction::Acquire);
        // The request carries the observed resource version: of two concurrent writers the API server refuses one.
        written_or_lost(
            self.leases
                .replace(&self.lease, &PostParams::default(), &lease)
                .await,
        )
    }

    /// The Lease as held by this candidate.
    fn lease_held_by_me(&self, lease: Lease, is_new: bool) -> Lease {
        let now = MicroTime(Timestamp::now());
        let spec = lease.spec.unwrap_or_default();
        let changes = spec.lease_transitions.unwrap_or(-1);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.lease.clone()),
                ..lease.metadata
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.me.clone()),
                lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
                acquire_time: if is_new {
                    Some(now.clone())
                } else {
                    spec.acquire_time
                },
                renew_time: Some(now),
                lease_transitions: Some(changes.saturating_add(i32::from(is_new)).max(0)),
                ..spec
            }),
        }
    }
}

/// True if the Lease was written, false if another candidate wrote it first.
fn written_or_lost(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
