//! Context of `drover serve`: the queue, the workers and the leaders.

use std::num::NonZeroU16;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;

use drover_shared::ledger::Ledger;
use drover_shared::process::{Tokens, process_name};
use drover_shared::queue::rabbitmq::PublishConnections;
use drover_shared::queue::{Broker, Embedded};
use tokio::sync::Semaphore;

use crate::args::Serve;
use crate::commands::broker;
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use drover_api::BrokerHandle;
use drover_core::leader::{
    LeaderService, LiveJobs, LocalWorkers, OnShutdown, PipelineLeader, QUEUE_CAPACITY, Workers,
};
use drover_core::notifications::{BrokerSource, DeliveryService, NotifySettings};
use drover_core::triggers::{WatchContext, WatchSettings};
use drover_worker::runner::CommandLimits;

/// Time between SIGTERM and SIGKILL for commands of the current process.
const TERM_GRACE: Duration = Duration::from_secs(10);

/// The broker; empty before the first connection.
pub(crate) type BrokerCell = Arc<OnceLock<Arc<dyn Broker>>>;

/// Context of a service.
pub(crate) struct ServeContext {
    pub(crate) ledger: Ledger,
    /// The named broker, or the queue inside the current process.
    pub(crate) reached: BrokerCell,
    pub(crate) workers: Workers,
    pub(crate) watching: WatchContext,
    pub(crate) live_jobs: LiveJobs,
    limit: usize,
    publish_connections: PublishConnections,
}

impl ServeContext {
    /// Opens the store; the connection to the broker follows later. The tracker in `working` counts the tasks of this
    /// process.
    pub(crate) async fn open(
        typed: &Serve,
        context: &Context,
        working: &Tokens,
    ) -> anyhow::Result<Self> {
        let ledger = context.ledger().await?;
        let reached = BrokerCell::default();
        let workers = if context.broker.url.is_some() {
            Workers::OnBroker
        } else if ledger.store().local_root().is_none() {
            return Err(UsageError::BucketAlone.into());
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
            watching: WatchContext::new(settings),
            live_jobs: LiveJobs::default(),
            limit: most.map_or(Semaphore::MAX_PERMITS, |most| most.get() as usize),
            publish_connections: typed.publish_connections,
        })
    }

    /// The broker for the HTTP API.
    pub(crate) fn reach(&self) -> BrokerHandle {
        match (&self.workers, self.reached.get()) {
            (Workers::Local(_), Some(queue)) => BrokerHandle::Embedded(Arc::clone(queue)),
            _ => BrokerHandle::Remote(Arc::clone(&self.reached)),
        }
    }

    /// The service that sends the events of jobs and pipelines.
    pub(crate) fn deliveries(&self, typed: &Serve) -> anyhow::Result<DeliveryService> {
        let settings = NotifySettings {
            keys: typed.notify_keys.clone(),
            allow_commands: typed.allow_notify_commands,
        };
        let reached = Arc::clone(&self.reached);
        let broker: BrokerSource = Arc::new(move || reached.get().cloned());
        let waiting = self.watching.waiting.clone();
        let service = DeliveryService::new(self.ledger.clone(), settings, broker)
            .context("cannot make a client for webhooks")?;
        Ok(service.with_obstacles(Arc::new(move || waiting.obstacles())))
    }

    /// Runs the leaders; returns only with an error.
    pub(crate) async fn work(&self, context: &Context) -> anyhow::Result<Exit> {
        let (broker, manner) = match self.reached.get() {
            Some(queue) => (
                Arc::clone(queue),
                "running jobs in this process, without a broker, and",
            ),
            None => (
                self.connect(context).await?,
                "coordinating submitted jobs, and",
            ),
        };
        let leader = PipelineLeader {
            workers: self.workers.clone(),
            watching: Some(self.watching.clone()),
            live_jobs: self.live_jobs.clone(),
            limit: Arc::new(Semaphore::new(self.limit)),
            ..PipelineLeader::on_broker(self.ledger.clone(), Arc::clone(&broker), process_name())
        };
        let service = LeaderService::new(leader).await?;
        self.reached.get_or_init(|| broker);
        context.console.message(format!(
            "{manner} watching the inputs of registered pipelines; Ctrl-C ends the service, and loses nothing"
        ));
        Err(service.run().await.into())
    }

    async fn connect(&self, context: &Context) -> anyhow::Result<Arc<dyn Broker>> {
        let broker = broker::connect_with(context, &self.ledger, self.publish_connections);
        Ok(Arc::new(broker.await?))
    }
}

fn local(slots: Option<NonZeroU16>, working: &Tokens) -> LocalWorkers {
    LocalWorkers {
        slots,
        memory: None,
        scratch_limit: None,
        look_ahead: None,
        term_grace: TERM_GRACE,
        scratch: None,
        privileged: false,
        limits: CommandLimits::default(),
        tokens: working.clone(),
        on_shutdown: OnShutdown::LeaveJob,
    }
}
