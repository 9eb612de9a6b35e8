//! The work of `drover serve`: the queue, who works, and the leaders.

use std::num::NonZeroU16;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use drover_shared::ledger::Ledger;
use drover_shared::process::{Tokens, process_name};
use drover_shared::queue::{Broker, Embedded};
use tokio::sync::Semaphore;

use crate::args::Serve;
use crate::commands::cluster::broker;
use crate::commands::{CommandError, Context};
use crate::exit::Exit;
use drover_api::BrokerHandle;
use drover_core::leader::{LocalWorkers, LeaderService, LiveJobs, PipelineLeader, Workers};
use drover_core::local::QUEUE_CAPACITY;
use drover_core::triggers::{WatchSettings, WatchContext};

/// From TERM to KILL, for a command of this process that must end.
const TERM_GRACE: Duration = Duration::from_secs(10);

/// The broker, from when it is reached on.
pub(crate) type Reached = Arc<OnceLock<Arc<dyn Broker>>>;

/// What a service works with.
pub(crate) struct Desk {
    pub(crate) ledger: Ledger,
    /// The broker that was named, or the queue of this process.
    pub(crate) reached: Reached,
    pub(crate) workers: Workers,
    pub(crate) watching: WatchContext,
    pub(crate) shown: LiveJobs,
    limit: usize,
}

impl Desk {
    /// Opens the store; the broker is reached later. What this process works on itself is counted in `working`.
    pub(crate) async fn open(
        typed: &Serve,
        context: &Context,
        working: &Tokens,
    ) -> Result<Self, CommandError> {
        let ledger = context.ledger().await?;
        let reached = Reached::default();
        let workers = if context.broker.url.is_some() {
            Workers::OnBroker
        } else if ledger.store().local_root().is_none() {
            return Err(CommandError::BucketAlone);
        } else {
            reached.get_or_init(|| Arc::new(Embedded::new(QUEUE_CAPACITY)));
            Workers::Local(local(typed.workers, working))
        };
        let settings = WatchSettings {
            settle: typed.settle,
            look_every: typed.look_every,
        };
        let most = typed.max_concurrent_jobs;
        Ok(Self {
            ledger,
            reached,
            workers,
            watching: WatchContext {
                settings,
                ..WatchContext::default()
            },
            shown: LiveJobs::default(),
            limit: most.map_or(Semaphore::MAX_PERMITS, |most| most.get() as usize),
        })
    }

    /// The broker as the HTTP API sees it.
    pub(crate) fn reach(&self) -> BrokerHandle {
        match (&self.workers, self.reached.get()) {
            (Workers::Local(_), Some(queue)) => BrokerHandle::Embedded(Arc::clone(queue)),
            _ => BrokerHandle::Remote(Arc::clone(&self.reached)),
        }
    }

    /// Sees jobs through for ever.
    pub(crate) async fn work(&self, context: &Context) -> Result<Exit, CommandError> {
        let (broker, manner) = match self.reached.get() {
            Some(queue) => (
                Arc::clone(queue),
                "working on jobs here, without a broker, and",
            ),
            None => (reach(context).await?, "seeing published jobs through, and"),
        };
        let leader = PipelineLeader {
            workers: self.workers.clone(),
            watching: Some(self.watching.clone()),
            shown: self.shown.clone(),
            limit: Arc::new(Semaphore::new(self.limit)),
            ..PipelineLeader::on_broker(self.ledger.clone(), Arc::clone(&broker), process_name())
        };
        let service = LeaderService::new(leader).await?;
        self.reached.get_or_init(|| broker);
        context.console.talk(format!(
            "{manner} watching the inputs of standing pipelines; Ctrl-C ends it, and loses nothing"
        ));
        Err(service.run().await.into())
    }
}

fn local(slots: Option<NonZeroU16>, working: &Tokens) -> LocalWorkers {
    LocalWorkers {
        slots,
        term_grace: TERM_GRACE,
        tokens: working.clone(),
    }
}

async fn reach(context: &Context) -> Result<Arc<dyn Broker>, CommandError> {
    Ok(Arc::new(broker::connect(context).await?))
}
