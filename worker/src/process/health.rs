//! How the worker is, for whoever probes it.

use std::sync::{Arc, OnceLock};

use drover_shared::queue::{Broker, Link};

use crate::metrics;
use crate::phase::{Phase, WorkerPhase};

/// How the worker is. Cheap to clone; all clones tell the same.
#[derive(Clone, Default)]
pub(crate) struct Health {
    pub(crate) phase: WorkerPhase,
    broker: Arc<OnceLock<Arc<dyn Broker>>>,
}

impl Health {
    /// From now on the broker counts, too.
    pub(crate) fn watch(&self, broker: &Arc<dyn Broker>) {
        self.broker.get_or_init(|| Arc::clone(broker));
    }

    /// Whether the worker takes messages; if not, why.
    pub(crate) fn ready(&self) -> Result<(), String> {
        judge(self.phase.phase(), self.link())
    }

    /// Brings the gauge of the connection up to date.
    pub(crate) fn measure_link(&self) {
        metrics::queue_link(matches!(self.link(), Link::Up));
    }

    fn link(&self) -> Link {
        self.broker.get().map_or_else(
            || Link::Down {
                why: "it was not reached yet".to_owned(),
            },
            |broker| broker.link(),
        )
    }
}

fn judge(phase: Phase, link: Link) -> Result<(), String> {
    match (phase, link) {
        (Phase::Starting, _) => Err("starting".to_owned()),
        (Phase::Draining, _) => Err("draining".to_owned()),
        (Phase::Taking, Link::Up) => Ok(()),
        (Phase::Taking, Link::Down { why }) => Err(format!("the broker is out of reach: {why}")),
        (Phase::Taking, Link::Blocked { why }) => Err(format!("the broker is blocked: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::queue::Embedded;

    use super::*;

    #[test]
    fn a_worker_is_ready_while_it_takes_messages_from_a_broker_that_is_there() {
        let down = || Link::Down { why: "cut".into() };
        let blocked = || Link::Blocked {
            why: "memory".into(),
        };
        let rows = [
            (Phase::Starting, Link::Up, Some("starting")),
            (Phase::Taking, Link::Up, None),
            (
                Phase::Taking,
                down(),
                Some("the broker is out of reach: cut"),
            ),
            (
                Phase::Taking,
                blocked(),
                Some("the broker is blocked: memory"),
            ),
            (Phase::Draining, Link::Up, Some("draining")),
        ];
        for (phase, link, expected) in rows {
            let answer = judge(phase, link.clone());
            assert_eq!(answer.err().as_deref(), expected, "{phase:?} {link:?}");
        }
    }

    #[test]
    fn a_broker_that_was_never_reached_is_out_of_reach() {
        let health = Health::default();
        health.phase.enter(Phase::Taking);
        assert!(health.ready().is_err());
        health.watch(&(Arc::new(Embedded::new(1)) as Arc<dyn Broker>));
        assert_eq!(health.ready(), Ok(()));
    }
}
