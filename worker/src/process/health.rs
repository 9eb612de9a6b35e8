//! The readiness of the worker, for the health probe.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use drover_shared::id::WorkerId;
use drover_shared::process::Readiness;
use drover_shared::queue::{Broker, Link};
use drover_shared::store::Store;
use serde_json::{Value, json};

use crate::metrics;
use crate::phase::{Phase, WorkerPhase};

/// The health of the worker. Cheap to clone; all clones share the state.
#[derive(Clone, Default)]
pub(crate) struct WorkerHealth {
    pub(crate) phase: WorkerPhase,
    broker: Arc<OnceLock<Arc<dyn Broker>>>,
    readiness: Readiness,
}

impl WorkerHealth {
    /// From now on readiness includes the connection to the broker.
    pub(crate) fn watch(&self, broker: &Arc<dyn Broker>) {
        self.broker.get_or_init(|| Arc::clone(broker));
    }

    /// Ok if the worker consumes messages; otherwise the reason why not.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let problem = self.phase.problem().or_else(|| self.readiness.problem());
        judge(self.phase.phase(), problem, self.link())
    }

    /// Looks at the store and the broker for ever.
    pub(crate) async fn look(&self, store: &Store, worker: &WorkerId) -> Infallible {
        let broker = || self.broker.get().map(Arc::clone);
        self.readiness.watch(store, worker.as_str(), broker).await
    }

    /// The protection of the worker against commands, once the slots are started.
    pub(crate) fn about(&self) -> Value {
        match self.phase.protection() {
            Some(protection) => json!(protection),
            None => json!({}),
        }
    }

    /// Updates the gauges that are measured on demand: the broker connection and the idle time.
    pub(crate) fn measure(&self) {
        metrics::idle();
        metrics::queue_link(matches!(self.link(), Link::Up));
    }

    fn link(&self) -> Link {
        self.broker.get().map_or_else(
            || Link::Down {
                why: "not connected yet".to_owned(),
            },
            |broker| broker.link(),
        )
    }
}

fn judge(phase: Phase, problem: Option<String>, link: Link) -> Result<(), String> {
    match (phase, link) {
        (Phase::Starting, _) => Err(problem.unwrap_or_else(|| "starting".to_owned())),
        (Phase::Draining, _) => Err("draining".to_owned()),
        (Phase::Consuming, Link::Up) => problem.map_or(Ok(()), Err),
        (Phase::Consuming, Link::Down { why }) => Err(format!("the broker is out of reach: {why}")),
        (Phase::Consuming, Link::Blocked { why }) => Err(format!("the broker is blocked: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::queue::Embedded;

    use super::*;

    #[test]
    fn a_worker_is_ready_while_it_consumes_and_the_broker_is_connected() {
        let down = || Link::Down { why: "cut".into() };
        let blocked = || Link::Blocked {
            why: "memory".into(),
        };
        let rows = [
            (Phase::Starting, Link::Up, Some("starting")),
            (Phase::Consuming, Link::Up, None),
            (
                Phase::Consuming,
                down(),
                Some("the broker is out of reach: cut"),
            ),
            (
                Phase::Consuming,
                blocked(),
                Some("the broker is blocked: memory"),
            ),
            (Phase::Draining, Link::Up, Some("draining")),
        ];
        for (phase, link, expected) in rows {
            let answer = judge(phase, None, link.clone());
            assert_eq!(answer.err().as_deref(), expected, "{phase:?} {link:?}");
        }
        let problem = Some("another store".to_owned());
        for phase in [Phase::Starting, Phase::Consuming] {
            let answer = judge(phase, problem.clone(), Link::Up);
            assert_eq!(answer.err(), problem);
        }
    }

    #[test]
    fn a_worker_that_never_connected_is_not_ready() {
        let health = WorkerHealth::default();
        health.phase.enter(Phase::Consuming);
        assert!(health.ready().is_err());
        health.watch(&(Arc::new(Embedded::new(1)) as Arc<dyn Broker>));
        assert_eq!(health.ready(), Ok(()));
    }
}
