//! Acquires, renews and releases the Lease.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::observation::{
    LEASE_DURATION, LeaseAction, LeaseObservation, RENEW_DEADLINE, RENEW_INTERVAL, REQUEST_TIMEOUT,
    RETRY_INTERVAL,
};
use crate::health::Health;

/// The Lease was lost; another operator may lead now.
#[derive(Debug, thiserror::Error)]
#[error(
    "the Lease {lease} was lost and another operator may lead; this one exits to restart as a candidate"
)]
pub struct LeaseLost {
    lease: String,
}

/// A failed request about the Lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The API server did not answer in time.
    #[error("the API server did not answer within {}s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
    /// A concurrent writer was faster.
    #[error("the Lease was changed meanwhile")]
    Conflict,
    /// The API server refused the request.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

/// A leadership: the state of the Lease after it was acquired.
#[derive(Clone, Copy, Debug)]
pub struct Leadership {
    /// The Lease's count of transitions, which identifies the leadership.
    pub transitions: u64,
    /// Time before the successful request was sent.
    renewed: Instant,
}

/// An operator that competes for the Lease.
#[derive(Clone)]
pub struct LeaseCandidate {
    leases: Api<Lease>,
    lease: String,
    me: String,
    health: Arc<Health>,
}

impl LeaseCandidate {
    /// A candidate named `me`, which must be unique, for the Lease named `lease`.
    pub fn new(
        client: Client,
        namespace: &str,
        lease: &str,
        me: &str,
        health: Arc<Health>,
    ) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            lease: lease.to_owned(),
            me: me.to_owned(),
            health,
        }
    }

    /// Waits until this candidate holds the Lease. Cancel-safe: a Lease acquired meanwhile expires.
    pub async fn acquire(&self) -> Leadership {
        let mut last = None;
        loop {
            let sent = Instant::now();
            match self.attempt(&mut last, sent + REQUEST_TIMEOUT).await {
                Ok(Some(transitions)) => {
                    return Leadership {
                        transitions,
                        renewed: sent,
                    };
                }
                Ok(None) => {}
                Err(error) => self.warn("acquire", &error),
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// Leads: runs `work` and renews the Lease meanwhile. `work` is dropped when the Lease is lost, or when it could not
    /// be renewed for [`RENEW_DEADLINE`].
    pub async fn lead<T>(
        &self,
        leadership: Leadership,
        work: impl Future<Output = T>,
    ) -> Result<T, LeaseLost> {
        tokio::select! {
            biased;
            lost = self.renew_until_lost(leadership) => Err(lost),
            output = work => Ok(output),
        }
    }

    /// Renews the Lease until it is lost. Returns at the latest [`RENEW_DEADLINE`] after the last successful renewal was
    /// sent, even if the API server does not answer.
    async fn renew_until_lost(&self, leadership: Leadership) -> LeaseLost {
        let mut renewed = leadership.renewed;
        let mut last = None;
        let mut pause = RENEW_INTERVAL;
        loop {
            let deadline = renewed + RENEW_DEADLINE;
            sleep_until(deadline.min(Instant::now() + pause)).await;
            let sent = Instant::now();
            if sent >= deadline {
                break;
            }
            pause = RENEW_INTERVAL;
            match self
                .attempt(&mut last, deadline.min(sent + REQUEST_TIMEOUT))
                .await
            {
                Ok(Some(transitions)) if transitions == leadership.transitions => renewed = sent,
                // Another candidate holds the Lease, or held the Lease meanwhile.
                Ok(_) => break,
                Err(error) => {
                    self.warn("renew", &error);
                    pause = RETRY_INTERVAL;
                }
            }
        }
        LeaseLost {
            lease: self.lease.clone(),
        }
    }

    /// One attempt to acquire or renew the Lease before `deadline`.
    async fn attempt(
        &self,
        last: &mut Option<LeaseObservation>,
        deadline: Instant,
    ) -> Result<Option<u64>, LeaseError> {
        let attempt = timeout_at(deadline, self.try_acquire_or_renew(last)).await;
        let attempt = attempt.unwrap_or(Err(LeaseError::Timeout));
        match &attempt {
            Ok(_) | Err(LeaseError::Conflict) => self.health.lease(None),
            Err(error) => self.health.lease(Some(error)),
        }
        attempt
    }

    fn warn(&self, action: &str, error: &LeaseError) {
        if matches!(error, LeaseError::Conflict) {
            return;
        }
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, "cannot {action} the Lease {}; retrying", self.lease);
    }

    /// Releases the Lease if this candidate holds it, so the next candidate need not wait for the expiry.
    pub async fn release(&self) -> Result<(), LeaseError> {
        let released = timeout_at(Instant::now() + REQUEST_TIMEOUT, self.try_release()).await;
        released.map_err(|_| LeaseError::Timeout)?
    }

    async fn try_release(&self) -> Result<(), LeaseError> {
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
        match self.write(&lease).await {
            // The Lease belongs to another candidate already.
            Err(LeaseError::Conflict) => Ok(()),
            released => released.map(|_| ()),
        }
    }

    /// Acquires or renews the Lease. Returns its count of transitions; `None` if another candidate holds the Lease.
    async fn try_acquire_or_renew(
        &self,
        last: &mut Option<LeaseObservation>,
    ) -> Result<Option<u64>, LeaseError> {
        let Some(lease) = self.leases.get_opt(&self.lease).await? else {
            let lease = self.lease_held_by_me(Lease::default(), true);
            let created = self.leases.create(&PostParams::default(), &lease).await;
            return Ok(Some(transitions(&conflict_apart(created)?)));
        };
        let now = Instant::now();
        let observation = LeaseObservation::of(&lease, last.take(), now);
        let action = observation.step(&lease, &self.me, now);
        *last = Some(observation);
        if action == LeaseAction::Wait {
            return Ok(None);
        }
        let lease = self.lease_held_by_me(lease, action == LeaseAction::Acquire);
        Ok(Some(transitions(&self.write(&lease).await?)))
    }

    /// Replaces the Lease. The request carries the observed resource version: of two concurrent writers the API server
    /// refuses one.
    async fn write(&self, lease: &Lease) -> Result<Lease, LeaseError> {
        let params = PostParams::default();
        conflict_apart(self.leases.replace(&self.lease, &params, lease).await)
    }

    /// The Lease as held by this candidate.
    fn lease_held_by_me(&self, lease: Lease, is_new: bool) -> Lease {
        let now = MicroTime(Timestamp::now());
        let spec = lease.spec.unwrap_or_default();
        let transitions = match spec.lease_transitions {
            Some(transitions) => transitions.saturating_add(i32::from(is_new)),
            None => first_transitions(),
        };
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
                lease_transitions: Some(transitions),
                ..spec
            }),
        }
    }
}

/// The count of a Lease that is created: minutes since 1970. A Lease that was deleted and created again thus starts above
/// every earlier count, and the store does not refuse its holder.
fn first_transitions() -> i32 {
    i32::try_from(Timestamp::now().as_second() / 60).unwrap_or_default()
}

fn transitions(lease: &Lease) -> u64 {
    let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
    transitions.map_or(0, |count| u64::try_from(count).unwrap_or_default())
}

fn conflict_apart(written: Result<Lease, kube::Error>) -> Result<Lease, LeaseError> {
    written.map_err(|error| match error {
        kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => {
            LeaseError::Conflict
        }
        error => error.into(),
    })
}
