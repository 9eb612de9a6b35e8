//! Sends the events of all jobs of a store, for as long as the process lives.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::process::{WebClient, WebError};
use drover_shared::queue::Broker;
use drover_shared::store::StoreError;
use futures::{StreamExt, stream};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::NotifySettings;
use super::claim::{JobLook, LookResult};
use super::pipeline_look::PipelineLook;
use super::send::Sender;

/// How often the notes of jobs are listed, in a folder and in a bucket.
const LIST_EVERY: Duration = Duration::from_secs(1);
const LIST_BUCKET_EVERY: Duration = Duration::from_secs(10);
/// How often obstacles of an active job are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Jobs that are looked at together.
const TOGETHER: usize = 16;

/// The broker of the process, once connected.
pub type BrokerSource = Arc<dyn Fn() -> Option<Arc<dyn Broker>> + Send + Sync>;

/// The obstacles of the pipelines that the process watches and that cannot start a job.
pub type ObstacleSource = Arc<dyn Fn() -> Vec<(PipelineName, String)> + Send + Sync>;

/// Sends the events of the jobs of a store. Several processes may do so: each try is claimed in the store.
#[derive(Clone)]
pub struct DeliveryService {
    ledger: Ledger,
    sender: Sender,
    broker: BrokerSource,
    obstacles: ObstacleSource,
}

impl DeliveryService {
    /// A service for all jobs in `ledger`.
    pub fn new(
        ledger: Ledger,
        settings: NotifySettings,
        broker: BrokerSource,
    ) -> Result<Self, WebError> {
        let client = WebClient::new()?;
        let sender = Sender { settings, client };
        Ok(Self {
            ledger,
            sender,
            broker,
            obstacles: Arc::new(Vec::new),
        })
    }

    /// The same service, which also tells of pipelines that cannot start a job.
    #[must_use]
    pub fn with_obstacles(self, obstacles: ObstacleSource) -> Self {
        Self { obstacles, ..self }
    }

    /// Works for ever. The future may be dropped at any moment: what was under way is sent again by the next service.
    pub async fn run(&self) -> Infallible {
        let mut list = interval(match self.ledger.store().local_root() {
            Some(_) => LIST_EVERY,
            None => LIST_BUCKET_EVERY,
        });
        list.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut active = HashMap::new();
        let mut pipelines = interval(LOOK_EVERY);
        pipelines.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let passed = tokio::select! {
                _ = list.tick() => self.pass(&mut active).await,
                _ = pipelines.tick() => self.look_at_pipelines().await,
            };
            if let Err(error) = passed {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "cannot look for events to send; trying again");
            }
        }
    }

    /// Looks at the pipelines with an obstacle, and at the noted pipelines without one.
    pub async fn look_at_pipelines(&self) -> Result<(), StoreError> {
        let obstacles = (self.obstacles)();
        stream::iter(&obstacles)
            .for_each_concurrent(TOGETHER, |(pipeline, why)| async move {
                let looked = self.pipeline_look(pipeline).run(why.clone()).await;
                warn_if_failed(pipeline, looked);
            })
            .await;
        for pipeline in self.ledger.pipelines_with_events().await? {
            if obstacles.iter().all(|(other, _)| *other != pipeline) {
                let forgotten = self.pipeline_look(&pipeline).forget_if_over().await;
                warn_if_failed(&pipeline, forgotten);
            }
        }
        Ok(())
    }

    fn pipeline_look<'a>(&'a self, pipeline: &'a PipelineName) -> PipelineLook<'a> {
        PipelineLook {
            ledger: &self.ledger,
            sender: &self.sender,
            pipeline,
        }
    }

    /// Looks at all jobs with receivers, at the active ones now and then.
    async fn pass(&self, active: &mut HashMap<JobId, Instant>) -> Result<(), StoreError> {
        let jobs = self.ledger.jobs_with_receivers().await?;
        active.retain(|job, _| jobs.contains(job));
        let seen = |job: JobId| (job, active.get(&job).copied());
        let jobs: Vec<_> = jobs.into_iter().map(seen).collect();
        let looks = jobs.into_iter().map(|(job, seen)| async move {
            let looked = match self.is_to_be_seen(job, seen).await {
                Ok(true) => self.look(job).await.map(Some),
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            };
            (job, looked)
        });
        let mut looks = stream::iter(looks).buffer_unordered(TOGETHER);
        while let Some((job, looked)) = looks.next().await {
            match looked {
                Ok(Some(LookResult::Active)) => {
                    active.insert(job, Instant::now());
                }
                Ok(None | Some(LookResult::Left | LookResult::Finished)) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(job.id = %job, error, "cannot send the events of job {job}; trying again");
                    active.insert(job, Instant::now());
                }
            }
        }
        Ok(())
    }

    /// True if a look is due at a job that was `seen` active: active jobs are seen less often than ended jobs.
    async fn is_to_be_seen(&self, job: JobId, seen: Option<Instant>) -> Result<bool, StoreError> {
        if seen.is_none_or(|seen| seen.elapsed() >= LOOK_EVERY) {
            return Ok(true);
        }
        match self.ledger.job(job).await {
            Ok(record) => Ok(record.state.is_final()),
            Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tries once to send what is due about the given job; true if the job has ended and deliveries are left.
    pub async fn try_once(&self, job: JobId) -> Result<bool, StoreError> {
        Ok(self.look(job).await? == LookResult::Left)
    }

    async fn look(&self, job: JobId) -> Result<LookResult, StoreError> {
        let broker = (self.broker)();
        let look = JobLook {
            ledger: &self.ledger,
            sender: &self.sender,
            broker: broker.as_deref(),
            job,
        };
        look.run().await
    }
}

/// Trouble with one pipeline keeps no event of another one back.
fn warn_if_failed(pipeline: &PipelineName, looked: Result<(), StoreError>) {
    if let Err(error) = looked {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(pipeline.name = %pipeline, error, "cannot send the events of pipeline {pipeline}; trying again");
    }
}
