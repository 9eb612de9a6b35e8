//! Watches the inputs of one registered pipeline.

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
use super::records_stamp::RecordsStamp;
use super::shared_watcher::SharedWatcher;
use super::ticks::tick;
use super::{Notifier, PendingJob, PipelineEvent, WaitReasons};
use crate::catalog;

/// Interval of checking the registered pipeline itself, in a folder and in a bucket.
const ASK_EVERY: Duration = Duration::from_secs(1);
const ASK_BUCKET_EVERY: Duration = Duration::from_secs(5);

/// Interval of looking whether a writer of an input has ended.
const WRITTEN_EVERY: Duration = Duration::from_millis(500);

/// Intervals of watching inputs.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// Time for which inputs must stay the same before a job starts. Default: 1 s.
    pub settle: Duration,
    /// Interval of checking inputs without a notification, as for buckets. Default: 30 s.
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

/// Settings and shared state of all input watchers of a process.
#[derive(Clone, Debug, Default)]
pub struct WatchContext {
    /// Intervals of watching inputs.
    pub settings: WatchSettings,
    /// Reasons for starting no job.
    pub waiting: WaitReasons,
    /// Events of the current process.
    pub notifier: Notifier,
    files: SharedWatcher,
}

impl WatchContext {
    /// The context of a process.
    pub fn new(settings: WatchSettings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }
}

/// The next step for a registered pipeline.
#[derive(Debug)]
pub enum NextWork {
    /// A job is due.
    Start(PendingJob),
    /// Another process submitted a job.
    Submitted,
    /// The pipeline is not registered (any more).
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
    events: EventReceiver,
    file_watcher: FileWatcher,
    debounce: Debounce,
    /// The records at the last check.
    records: RecordsStamp,
    /// Revision at the last check.
    revision: u64,
    /// Time of the next check of the inputs.
    look_at: Instant,
    /// The next tick of the clocks, by the time of day, which may jump.
    tick_at: Option<Timestamp>,
}

impl InputWatcher {
    /// A watcher whose first check is due at once.
    pub fn new(ledger: Ledger, name: PipelineName, watching: WatchContext) -> Self {
        Self {
            repos: Repos::new(ledger.store().clone()),
            records: RecordsStamp::default(),
            ledger,
            settings: watching.settings,
            waiting: watching.waiting,
            events: watching.notifier.listen(),
            file_watcher: FileWatcher::new(&name, watching.files),
            debounce: Debounce::default(),
            revision: 0,
            look_at: Instant::now(),
            tick_at: None,
            name,
        }
    }

    /// Waits for the next step. Cancel-safe.
    pub async fn next(&mut self) -> Result<NextWork, StoreError> {
        let mut known = None;
        loop {
            let have_changed = self.records.have_changed(&self.ledger, &self.name);
            if have_changed || known.is_none() {
                if !self.ledger.submitted(&self.name).await?.is_empty() {
                    return Ok(NextWork::Submitted);
                }
                known = self.ledger.registered(&self.name).await?;
            }
            let Some(registered) = known.take() else {
                self.waiting.clear(&self.name);
                return Ok(NextWork::Gone);
            };
            if let Some(pending) = self.consider(&registered).await? {
                return Ok(NextWork::Start(pending));
            }
            let rest = self.look_at.saturating_duration_since(Instant::now());
            let rest = rest.min(self.ask_every());
            tokio::select! {
                // One check for a burst of files.
                () = self.file_watcher.changed() => self.look_after(self.settings.settle / 4),
                item = self.events.next() => {
                    if concerns(item.as_ref(), &registered) {
                        self.look_after(Duration::ZERO);
                    }
                }
                () = sleep(rest) => {}
            }
            known = Some(registered);
        }
    }

    /// Schedules the next check of the inputs no later than after the time.
    fn look_after(&mut self, rest: Duration) {
        self.look_at = self.look_at.min(Instant::now() + rest);
    }

    fn ask_every(&self) -> Duration {
        match self.ledger.store().local_root() {
            Some(_) => ASK_EVERY,
            None => ASK_BUCKET_EVERY,
        }
    }

    /// The job that is due now, if any.
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
        let is_tick_due = self.tick_at.is_some_and(|tick| tick <= Timestamp::now());
        if self.look_at > Instant::now() && !is_tick_due {
            return Ok(None);
        }
        self.look_at = Instant::now() + self.settings.look_every;
        let Ok(pipeline) = pipeline::from_value(&registered.spec) else {
            let why = "its spec is not valid here; bring all Drover processes to one version";
            self.waiting.tell_obstacle(&self.name, why);
            return Ok(None);
        };
        if let Some(behind) = self.tick(&pipeline, registered).await? {
            let why = format!("its clock {behind} makes up for ticks that it missed");
            self.waiting.tell(&self.name, &why);
            self.look_at = Instant::now();
            return Ok(None);
        }
        self.file_watcher.watch(&self.folders(&pipeline).await?);
        if let Some(writer) = self.is_being_written(&pipeline).await? {
            self.waiting.tell(
                &self.name,
                &format!("{writer}, which it reads, is publishing"),
            );
            self.look_at = Instant::now() + WRITTEN_EVERY;
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
                self.waiting.tell_obstacle(&self.name, &why);
                return Ok(None);
            }
            InputState::Refused { why } => {
                self.waiting.warn(&self.name, &why);
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
            .debounce
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

    /// Writes due ticks and schedules a check for the next tick. Returns the name of a clock that missed more ticks than are
    /// written at once.
    async fn tick(
        &mut self,
        pipeline: &Pipeline,
        registered: &RegisteredPipeline,
    ) -> Result<Option<String>, StoreError> {
        let now = Timestamp::now();
        let mut behind = None;
        self.tick_at = None;
        for clock in pipeline.input.clocks() {
            let next = tick(clock, registered.created, now, self.ledger.store()).await?;
            if let Some(next) = next {
                let rest = Duration::try_from(next.duration_since(now)).unwrap_or_default();
                self.look_after(rest);
                self.tick_at = self.tick_at.into_iter().chain([next]).min();
                if next <= now {
                    behind = Some(clock.ticks.name.clone());
                }
            }
        }
        Ok(behind)
    }

    /// Folders of the local machine that the pipeline reads.
    async fn folders(&self, pipeline: &Pipeline) -> Result<BTreeSet<PathBuf>, StoreError> {
        let mut folders = BTreeSet::new();
        for leaf in pipeline.input.leaves() {
            let (store, repo) = self.repos.find(&leaf.repo, leaf.url.as_deref()).await?;
            folders.extend(store.local_path(&repo));
        }
        Ok(folders)
    }

    /// An upstream pipeline that is writing its output; half of the output may be old.
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

/// True if an event calls for a check of the inputs. Submitted jobs are checked after every event.
fn concerns(item: Option<&PipelineEvent>, registered: &RegisteredPipeline) -> bool {
    match item {
        Some(PipelineEvent::Submitted(_)) => false,
        Some(PipelineEvent::Published(writer)) => pipeline::from_value(&registered.spec)
            .is_ok_and(|pipeline| catalog::reads(&pipeline, writer)),
        None => true,
    }
}
