//! One who wants to be at work.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep};

use super::decide::{GIVE_UP_AFTER, HOLDS_FOR, LOOK_EVERY, RENEW_EVERY, Sighting, Step};

/// Somebody else is at work now, or may be.
#[derive(Debug, thiserror::Error)]
#[error(
    "the Lease {lease} was lost: another operator may be at work; this one ends and starts anew"
)]
pub struct Deposed {
    lease: String,
}

/// One who wants to be at work.
#[derive(Clone)]
pub struct Candidate {
    leases: Api<Lease>,
    lease: String,
    me: String,
}

impl Candidate {
    /// `me`, unique among all, for the Lease called `lease`.
    pub fn new(client: Client, namespace: &str, lease: &str, me: &str) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            lease: lease.to_owned(),
            me: me.to_owned(),
        }
    }

    /// Waits until the Lease is ours. Cancel-safe: what was taken meanwhile runs out.
    pub async fn win(&self) {
        let mut seen = None;
        loop {
            match self.try_to_hold(&mut seen).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "cannot take the Lease {}; trying again", self.lease);
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Keeps the Lease; returns when it is lost.
    pub async fn reign(&self) -> Deposed {
        let mut renewed = Instant::now();
        let mut seen = None;
        while renewed.elapsed() < GIVE_UP_AFTER {
            sleep(RENEW_EVERY).await;
            match self.try_to_hold(&mut seen).await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => break,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "cannot renew the Lease {}; trying again", self.lease);
                }
            }
        }
        Deposed {
            lease: self.lease.clone(),
        }
    }

    /// Gives the Lease back, if it is ours, so that nobody need wait.
    pub async fn abdicate(&self) -> Result<(), kube::Error> {
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
        let given = self
            .leases
            .replace(&self.lease, &PostParams::default(), &lease)
            .await;
        lost_or(given).map(|_| ())
    }

    /// Whether the Lease is ours now; taken or renewed if it may be.
    async fn try_to_hold(&self, seen: &mut Option<Sighting>) -> Result<bool, kube::Error> {
        let Some(lease) = self.leases.get_opt(&self.lease).await? else {
            let lease = self.held(Lease::default(), true);
            return lost_or(self.leases.create(&PostParams::default(), &lease).await);
        };
        let now = Instant::now();
        let sighting = Sighting::of(&lease, seen.take(), now);
        let step = sighting.step(&lease, &self.me, now);
        *seen = Some(sighting);
        if step == Step::Wait {
            return Ok(false);
        }
        let lease = self.held(lease, step == Step::Take);
        // With the version that was seen: of two who take it at the same time one is refused.
        lost_or(
            self.leases
                .replace(&self.lease, &PostParams::default(), &lease)
                .await,
        )
    }

    /// The Lease as it is once it is ours.
    fn held(&self, lease: Lease, is_new: bool) -> Lease {
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
                lease_duration_seconds: i32::try_from(HOLDS_FOR.as_secs()).ok(),
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

/// Whether it was written; not if somebody else was quicker.
fn lost_or(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
