//! Keeps the allotments of the limits that several pipelines share.

use std::convert::Infallible;
use std::time::Duration;

use drover_shared::id::{LimitName, PipelineName};
use drover_shared::ledger::{Allotment, Ledger};
use drover_shared::pipeline::Limit;
use drover_shared::store::StoreError;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::coordinator::Fence;

/// Interval between two looks at a limit: a change of the limit takes effect within it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The work of a job, as far as shared limits have to know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Demand {
    /// Known datums without a verdict.
    pub(crate) outstanding: u64,
    /// Datums under way, and datums published so far, both as counted by the collector; none until the workers have told what
    /// they hold.
    pub(crate) under_way: Option<(u64, u64)>,
}

/// The shared limits of one job.
pub(crate) struct SharedLimits {
    pub(crate) ledger: Ledger,
    pub(crate) fence: Fence,
    pub(crate) pipeline: PipelineName,
    pub(crate) names: Vec<LimitName>,
    pub(crate) demand: watch::Receiver<Demand>,
    /// Datums that the dispatcher has published or is about to publish.
    pub(crate) published: watch::Receiver<u64>,
    /// The smallest allotment, for the gate.
    pub(crate) allotted: watch::Sender<Option<u64>>,
}

/// The shared limits among the limits of a pipeline.
pub(crate) fn named(limits: &[Limit]) -> Vec<LimitName> {
    let names = limits.iter().filter_map(|limit| match limit {
        Limit::Named(name) => Some(name.clone()),
        Limit::Running(_) | Limit::Rate(_) => None,
    });
    names.collect()
}

impl SharedLimits {
    /// Adapts the allotments for ever.
    pub(crate) async fn run(mut self) -> Infallible {
        if self.names.is_empty() {
            return std::future::pending().await;
        }
        let is_known = |demand: &Demand| demand.under_way.is_some() && demand.outstanding > 0;
        // The collector lives as long as the job.
        let _ = self.demand.wait_for(is_known).await.map(|_| ());
        loop {
            if let Err(error) = self.adapt().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "a shared limit cannot be read; the part of the pipeline stays as it is until it can"
                );
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn adapt(&mut self) -> Result<(), StoreError> {
        let mut smallest = None;
        for name in &self.names {
            let allotted = self.adapt_one(name).await?;
            smallest = Some(smallest.map_or(allotted, |it: u64| it.min(allotted)));
        }
        self.allotted.send_replace(smallest);
        Ok(())
    }

    /// The allotment of one limit from now on. Before an allotment shrinks, the dispatcher is told, so that nothing is published
    /// beyond; it shrinks at the next look.
    async fn adapt_one(&self, name: &LimitName) -> Result<u64, StoreError> {
        let Some(limit) = self.ledger.shared_limit(name).await? else {
            tracing::warn!(
                "the limit {name} is not defined, so no datum of {} begins: define it by `drover limit {name} --running N`",
                self.pipeline
            );
            return Ok(0);
        };
        let now = limit
            .allotments
            .get(&self.pipeline)
            .copied()
            .unwrap_or_default();
        let wanted = clamped(self.demand.borrow().outstanding).min(limit.running.max(1));
        let due = limit.due(&self.pipeline, self.under_way(), wanted);
        let told = self.allotted.borrow().map_or(0, clamped);
        let shrinks_unannounced = due < now.granted && told > due;
        let next = Allotment {
            granted: due,
            wanted,
        };
        if shrinks_unannounced || next == now {
            return Ok(u64::from(due));
        }
        if self.fence.check().await.is_err() {
            // A successor keeps the allotment.
            return Ok(0);
        }
        let saved = self
            .ledger
            .save_allotment(name, &self.pipeline, |limit| Allotment {
                granted: limit.due(&self.pipeline, self.under_way(), wanted),
                wanted,
            });
        let saved = saved.await?.unwrap_or_default();
        Ok(u64::from(saved.granted))
    }

    /// Datums that may run: those under way, and those of which the dispatcher has told the collector meanwhile.
    fn under_way(&self) -> u32 {
        let Some((under_way, known)) = self.demand.borrow().under_way else {
            return u32::MAX;
        };
        let published = *self.published.borrow();
        clamped(under_way.saturating_add(published.saturating_sub(known)))
    }
}

/// Gives the allotments of a job back whose datums have all ended or were released.
pub(crate) async fn give_back(ledger: &Ledger, pipeline: &PipelineName, names: &[LimitName]) {
    for name in names {
        let saved = ledger.save_allotment(name, pipeline, |_| Allotment::default());
        if let Err(error) = saved.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "the part of the limit {name} that {pipeline} had cannot be given back; the next job of {pipeline} does"
            );
        }
    }
}

fn clamped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
