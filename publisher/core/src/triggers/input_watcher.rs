//! Keeping watch over one registered pipeline.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use drover_shared::id::PipelineName;
use drover_shared::job::JobState;
use drover_shared::ledger::{Ledger, RegisteredPipeline};
use drover_shared::pipeline::{self, Pipeline};
use drover_shared::store::{Repos, StoreError};
use jiff::Timestamp;
use tokio::time::sleep;

use super::debounce::{Debounce, Verdict};
use super::file_watcher::FileWatcher;
use super::fingerprint::{InputState, look};
use super::notifier::EventReceiver;
use super::ticks::tick;
use super::{Notifier, PendingJob, PipelineEvent, WaitReasons};
use crate::catalog;

/// Between two looks at whether the pipeline itself was changed, in a folder and in a bucket.
const ASK_EVERY: Duration = Duration::from_millis(500);
const ASK_BUCKET_EVERY: Duration = Duration::from_secs(5);

/// How closely inputs are watched.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// How long inputs must look the same before a job is started for them.
    pub settle: Duration,
    /// How often inputs are looked at although nothing was told: what finds changes in buckets.
    pub look_every: Duration,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(1),
            look_every: Duration::from_secs(30),
        }
    }
}

/// How registered pipelines are watched in one process.
#[derive(Clone, Debug, Default)]
pub struct WatchContext {
    /// How closely their inputs are watched.
    pub settings: WatchSettings,
    /// Where is told what keeps them from starting jobs.
    pub waiting: WaitReasons,
    /// What happens in this process.
    pub news: Notifier,
}

/// What there is to do for a registered pipeline.
#[derive(Debug)]
pub enum NextWork {
    /// A job is to be started.
    Start(PendingJob),
    /// A job was submitted by somebody else.
    Submitted,
    /// Nothing: it is no registered pipeline (any more).
    Gone,
}

/// Watches the inputs of one registered pipeline.
#[derive(Debug)]
pub struct InputWatcher {
    ledger: Ledger,
    repos: Repos,
    name: PipelineName,
    settings: WatchSettings,
    waiting: WaitReasons,
    news: EventReceiver,
    notice: FileWatcher,
    settling: Debounce,
    /// The revision that was looked at last.
    revision: u64,
    /// When to look at the inputs again.
    look_at: Instant,
}

impl InputWatcher {
    /// A keeper that has not looked yet.
    pub fn new(ledger: Ledger, name: PipelineName, watching: WatchContext) -> Self {
        Self {
            repos: Repos::new(ledger.store().clone()),
            ledger,
            name,
            settings: watching.settings,
            waiting: watching.waiting,
            news: watching.news.listen(),
            notice: FileWatcher::default(),
            settling: Debounce::default(),
            revision: 0,
            look_at: Instant::now(),
        }
    }

    /// Waits until there is something to do. May be given up at any time, and asked again.
    pub async fn next(&mut self) -> Result<NextWork, StoreError> {
        loop {
            if !self.ledger.submitted(&self.name).await?.is_empty() {
                return Ok(NextWork::Submitted);
            }
            let Some(registered) = self.ledger.registered(&self.name).await? else {
                self.waiting.clear(&self.name);
                return Ok(NextWork::Gone);
            };
            if let Some(pending) = self.consider(&registered).await? {
                return Ok(NextWork::Start(pending));
            }
            let rest = self.look_at.saturating_duration_since(Instant::now());
            let rest = rest.min(self.ask_every());
            tokio::select! {
                // A burst is not looked at file by file.
                () = self.notice.changed() => self.look_after(self.settings.settle / 4),
                item = self.news.next() => {
                    if concerns(item.as_ref(), &registered) {
                        self.look_after(Duration::ZERO);
                    }
                }
                () = sleep(rest) => {}
            }
        }
    }

    /// Looks at the inputs after this time at the latest.
    fn look_after(&mut self, rest: Duration) {
        self.look_at = self.look_at.min(Instant::now() + rest);
    }

    fn ask_every(&self) -> Duration {
        match self.ledger.store().local_root() {
            Some(_) => ASK_EVERY,
            None => ASK_BUCKET_EVERY,
        }
    }

    /// The job that is to be started now, if one is.
    async fn consider(
        &mut self,
        registered: &RegisteredPipeline,
    ) -> Result<Option<PendingJob>, StoreError> {
        if registered.paused {
            self.waiting.tell(&self.name, "it is paused");
            self.look_at = Instant::now() + self.settings.look_every;
            return Ok(None);
        }
        if registered.revision != self.revision {
            self.revision = registered.revision;
            self.look_at = Instant::now();
        }
        if self.look_at > Instant::now() {
            return Ok(None);
        }
        self.look_at = Instant::now() + self.settings.look_every;
        let Ok(pipeline) = pipeline::from_value(&registered.spec) else {
            let why = "its spec is not valid here; bring all Drover processes to one version";
            self.waiting.tell(&self.name, why);
            return Ok(None);
        };
        self.tick(&pipeline, registered).await?;
        self.notice.watch(&self.folders(&pipeline).await?);
        if let Some(writer) = self.is_being_written(&pipeline).await? {
            self.waiting.tell(
                &self.name,
                &format!("{writer}, which it reads, is publishing"),
            );
            self.look_at = Instant::now() + ASK_EVERY;
            return Ok(None);
        }
        self.look(&pipeline, registered).await
    }

    async fn look(
        &mut self,
        pipeline: &Pipeline,
        registered: &RegisteredPipeline,
    ) -> Result<Option<PendingJob>, StoreError> {
        let (fingerprint, empty) = match look(pipeline, registered, self.ledger.store()).await? {
            InputState::Are { fingerprint, empty } => (fingerprint, empty),
            InputState::Unknown { why } => {
                self.waiting.tell(&self.name, &why);
                return Ok(None);
            }
        };
        let covered = self.ledger.started_for(&self.name).await?;
        if covered.is_none() && empty {
            self.waiting.tell(&self.name, "its inputs are empty");
            return Ok(None);
        }
        let settle = self.settings.settle;
        let verdict = self
            .settling
            .judge(&fingerprint, covered.as_deref(), settle, Instant::now());
        if let Verdict::LookAgain(after) = verdict {
            self.waiting.tell(
                &self.name,
                &format!("its inputs changed; a job starts once they look the same for {settle:?}"),
            );
            self.look_at = Instant::now() + after;
            return Ok(None);
        }
        self.waiting.clear(&self.name);
        Ok((verdict == Verdict::NextWork).then(|| PendingJob {
            pipeline: self.name.clone(),
            spec: registered.spec.clone(),
            fingerprint,
        }))
    }

    /// Lets the clocks tick, and is back when they tick next.
    async fn tick(
        &mut self,
        pipeline: &Pipeline,
        registered: &RegisteredPipeline,
    ) -> Result<(), StoreError> {
        let now = Timestamp::now();
        for clock in pipeline.input.clocks() {
            let next = tick(clock, registered.created, now, self.ledger.store()).await?;
            if let Some(next) = next {
                let rest = Duration::try_from(next.duration_since(now)).unwrap_or_default();
                self.look_after(rest);
            }
        }
        Ok(())
    }

    /// The folders of this machine that the pipeline reads.
    async fn folders(&self, pipeline: &Pipeline) -> Result<BTreeSet<PathBuf>, StoreError> {
        let mut folders = BTreeSet::new();
        for leaf in pipeline.input.leaves() {
            let (store, repo) = self.repos.find(&leaf.repo, leaf.url.as_deref()).await?;
            folders.extend(store.local_path(&repo));
        }
        Ok(folders)
    }

    /// A pipeline whose output this one reads and which is just being published: half of it may be old.
    async fn is_being_written(
        &self,
        pipeline: &Pipeline,
    ) -> Result<Option<PipelineName>, StoreError> {
        for leaf in pipeline
            .input
            .leaves()
            .iter()
            .filter(|leaf| leaf.url.is_none())
        {
            let Ok(writer) = leaf.repo.parse::<PipelineName>() else {
                continue;
            };
            let jobs = self.ledger.submitted(&writer).await?;
            if jobs
                .iter()
                .any(|(record, _)| record.state == JobState::Publishing)
            {
                return Ok(Some(writer));
            }
        }
        Ok(None)
    }
}

/// Whether the inputs are to be looked at. Whatever it is, it is asked anew what was submitted.
fn concerns(item: Option<&PipelineEvent>, registered: &RegisteredPipeline) -> bool {
    match item {
        Some(PipelineEvent::Submitted(_)) => false,
        Some(PipelineEvent::Published(writer)) => pipeline::from_value(&registered.spec)
            .is_ok_and(|pipeline| catalog::reads(&pipeline, writer)),
        None => true,
    }
}
