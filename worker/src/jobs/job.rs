//! The jobs whose datums a worker processes: each is read from the ledger once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use drover_shared::datum::{DatumInput, Verdict};
use drover_shared::glob::Glob;
use drover_shared::id::{DatumId, JobId, PipelineName, WorkerId};
use drover_shared::job::JobKey;
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::{self, Findings, PfsInput, Pipeline, Transform};
use drover_shared::prediction::{Prediction, UsageModel};
use drover_shared::store::{Repos, Store, StoreError, StoreKey};
use drover_shared::wire::{Authenticity, authenticity};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::jobs::cancellations::JobTokens;
use crate::jobs::{Cancellations, CodeObjects, CodeWatch, FollowWatch};
use crate::phase::WorkerPhase;
use crate::runner::home_of_another;
use crate::slots::Scratch;

/// Jobs to remember beyond those with datums in flight. A worker meets few jobs at a time.
const REMEMBERED: usize = 8;

/// Names of a job's files with the standard input of `cmd` and of `err_cmd`.
const STDIN: &str = "stdin";
const ERR_STDIN: &str = "err_stdin";

/// The data of a job for running its datums.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) pipeline: Pipeline,
    /// Authenticates messages about the job; none if an older Drover submitted and leads the job.
    pub(crate) key: Option<JobKey>,
    /// Inherited variables and `transform.env`.
    pub(crate) environment: Arc<BTreeMap<String, String>>,
    /// File with the standard input of the command; none if it is empty.
    pub(crate) stdin: Option<PathBuf>,
    /// File with the standard input of `err_cmd`; none if it is empty.
    pub(crate) err_stdin: Option<PathBuf>,
    /// The files that the ids of the datums depend on.
    pub(crate) code: Arc<CodeWatch>,
    /// The code files in the bucket of the store.
    pub(crate) code_objects: CodeObjects,
    /// Cancelled once no other datum of the job may begin.
    pub(crate) closed: CancellationToken,
    /// Cancelled when the job is stopped.
    pub(crate) stopped: CancellationToken,
    /// True while a process follows the logs.
    pub(crate) followers: FollowWatch,
    leaves: HashMap<u16, InputLeaf>,
    /// Needs of the pipeline's datums, with the datums that ended here.
    usage: StdMutex<UsageModel>,
}

/// A job that was stopped, or of which no other datum may begin.
#[derive(Debug)]
pub(crate) struct EndingJob {
    pub(crate) pipeline: PipelineName,
    pub(crate) key: Option<JobKey>,
}

/// One `pfs` input of the spec: where its files lie, and how they are shown to the command.
#[derive(Clone, Debug)]
pub(crate) struct InputLeaf {
    pub(crate) store: Store,
    /// The repo's folder in that store.
    pub(crate) folder: StoreKey,
    pub(crate) mode: InputMode,
    /// Files and directories left out.
    pub(crate) exclude: Vec<Glob>,
    /// True if the spec shows its files to many datums.
    pub(crate) is_shared: bool,
}

/// How the files of an input are shown to the command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum InputMode {
    /// As files.
    Whole,
    /// As FIFOs.
    Lazily,
    /// As empty files.
    Empty,
}

/// The environment that all commands of a job share. A command that runs as another user gets the home of that user,
/// unless the spec sets `HOME`.
fn environment(
    inherited: &BTreeMap<String, String>,
    home_of_another: Option<String>,
    transform: &Transform,
) -> BTreeMap<String, String> {
    let mut environment = inherited.clone();
    let mut given = transform.secrets.iter();
    if let Some(home) = home_of_another
        && !given.any(|secret| secret.env_var.as_deref() == Some("HOME"))
    {
        environment.insert("HOME".to_owned(), home);
    }
    environment.extend(transform.env.clone());
    environment
}

/// Why a job cannot be processed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("the records of the job cannot be read")]
    Store(#[from] StoreError),
    #[error(
        "this worker does not understand the spec of the job; bring all Drover processes to one version"
    )]
    Spec(#[source] Findings),
    #[error("the standard input for the job's commands cannot be written to {}", path.display())]
    Stdin {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Job {
    /// The `pfs` input that a datum's input belongs to; none if the spec has no such input.
    pub(crate) fn leaf(&self, input: &DatumInput) -> Option<&InputLeaf> {
        self.leaves.get(&input.leaf)
    }

    /// The expected needs of a datum with inputs of `size` bytes.
    pub(crate) fn predict(&self, datum: DatumId, size: u64) -> Option<Prediction> {
        self.usage().predict(datum, size)
    }

    /// Learns from a datum that ended here.
    pub(crate) fn learn(&self, verdict: &Verdict) {
        self.usage().learn(verdict);
    }

    fn usage(&self) -> MutexGuard<'_, UsageModel> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InputLeaf {
    async fn find(input: &PfsInput, is_shared: bool, repos: &Repos) -> Result<Self, StoreError> {
        let (store, folder) = repos.find(&input.repo, input.url.as_deref()).await?;
        let mode = match (input.lazy, input.empty_files) {
            (_, true) => InputMode::Empty,
            (true, false) => InputMode::Lazily,
            (false, false) => InputMode::Whole,
        };
        Ok(Self {
            store,
            folder,
            mode,
            exclude: input.exclude.clone(),
            is_shared,
        })
    }
}

/// The jobs that the current worker has met lately.
#[derive(Debug)]
pub(crate) struct Jobs {
    ledger: Ledger,
    repos: Repos,
    cancellations: Cancellations,
    scratch: Arc<Scratch>,
    inherited: BTreeMap<String, String>,
    worker: WorkerId,
    phase: WorkerPhase,
    recent: Mutex<VecDeque<Arc<Job>>>,
}

impl Jobs {
    pub(crate) fn new(
        ledger: &Ledger,
        cancellations: Cancellations,
        scratch: Arc<Scratch>,
        settings: &Settings,
    ) -> Self {
        Self {
            repos: Repos::new(ledger.store().clone()),
            ledger: ledger.clone(),
            cancellations,
            scratch,
            inherited: settings.environment.clone(),
            worker: settings.worker.clone(),
            phase: settings.phase.clone(),
            recent: Mutex::default(),
        }
    }

    /// The job, read from the ledger the first time. A job that has ended, or whose stop was requested, is cancelled.
    pub(crate) async fn get(&self, id: JobId) -> Result<Arc<Job>, JobError> {
        let mut recent = self.recent.lock().await;
        if let Some(place) = recent.iter().position(|job| job.id == id)
            && let Some(job) = recent.remove(place)
        {
            recent.push_front(Arc::clone(&job));
            self.restore_lines(&job)?;
            return Ok(job);
        }
        let read = self
            .read(id)
            .await
            .inspect_err(|_| self.cancellations.forget(id));
        let job = Arc::new(read?);
        recent.push_front(Arc::clone(&job));
        self.forget_idle(&mut recent);
        Ok(job)
    }

    /// Cancels the job that `message`, a broadcast, says was stopped. None, and nothing is cancelled, if the message is not
    /// authentic and the ledger knows of no stop.
    pub(crate) async fn stop(
        &self,
        id: JobId,
        message: &[u8],
    ) -> Result<Option<EndingJob>, StoreError> {
        let key = self.key(id).await?;
        let is_authentic = authenticity(message, key.as_ref()) == Authenticity::Authentic;
        if is_authentic {
            self.cancellations.stop(id);
        }
        let record = self.ledger.job(id).await?;
        if !is_authentic {
            if !record.state.is_final() && !self.ledger.stop_requested(id).await? {
                return Ok(None);
            }
            self.cancellations.stop(id);
        }
        let pipeline = record.pipeline;
        Ok(Some(EndingJob { pipeline, key }))
    }

    /// Lets no other datum of a job begin, as `message`, a broadcast, says. None, and the message changes nothing, if it is not
    /// authentic.
    pub(crate) async fn close(
        &self,
        id: JobId,
        message: &[u8],
    ) -> Result<Option<EndingJob>, StoreError> {
        let key = self.key(id).await?;
        if authenticity(message, key.as_ref()) != Authenticity::Authentic {
            return Ok(None);
        }
        self.cancellations.close(id);
        let pipeline = self.ledger.job(id).await?.pipeline;
        Ok(Some(EndingJob { pipeline, key }))
    }

    /// The key of a job, from memory if the worker has met the job lately. A job of an older Drover may get a key later.
    pub(crate) async fn key(&self, id: JobId) -> Result<Option<JobKey>, StoreError> {
        let recent = self.recent.lock().await;
        let known = recent.iter().find(|job| job.id == id);
        match known.and_then(|job| job.key) {
            None => self.ledger.job_key(id).await,
            key => Ok(key),
        }
    }

    /// Forgets the jobs met longest ago, except for jobs with datums in flight, which need the token.
    fn forget_idle(&self, recent: &mut VecDeque<Arc<Job>>) {
        while recent.len() > REMEMBERED {
            let idle = recent.iter().rposition(|job| Arc::strong_count(job) == 1);
            let Some(job) = idle.and_then(|idle| recent.remove(idle)) else {
                return;
            };
            self.cancellations.forget(job.id);
            for file in [&job.stdin, &job.err_stdin].into_iter().flatten() {
                // On an error the file is removed with the scratch directory.
                let _ = std::fs::remove_file(file);
            }
        }
    }

    async fn read(&self, id: JobId) -> Result<Job, JobError> {
        // Taken before the ledger is read, so no stop between the two is missed.
        let JobTokens { closed, stopped } = self.cancellations.tokens(id);
        let is_over = self.ledger.job(id).await?.state.is_final();
        if is_over || self.ledger.stop_requested(id).await? {
            self.cancellations.stop(id);
        }
        self.note_protection(id).await;
        let key = self.ledger.job_key(id).await?;
        let spec = self.ledger.spec(id).await?;
        let pipeline = pipeline::from_value(&spec).map_err(JobError::Spec)?;
        let mut leaves = HashMap::new();
        let shared = pipeline.input.crossed();
        for input in pipeline.input.leaves() {
            let is_shared = shared.contains(&input.leaf);
            let leaf = InputLeaf::find(input, is_shared, &self.repos).await?;
            leaves.insert(input.leaf, leaf);
        }
        let code = self.ledger.code(id).await?;
        let code_objects = CodeObjects::new(&code, self.ledger.store());
        let watching = tokio::task::spawn_blocking(move || CodeWatch::begin(code));
        let code = watching
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let transform = &pipeline.transform;
        let another = transform.user.as_deref().and_then(home_of_another);
        Ok(Job {
            id,
            environment: environment(&self.inherited, another, transform).into(),
            stdin: self.lines(id, STDIN, &transform.stdin)?,
            err_stdin: self.lines(id, ERR_STDIN, &transform.err_stdin)?,
            code: code.into(),
            code_objects,
            closed,
            stopped,
            followers: FollowWatch::default(),
            leaves,
            usage: self.usage(&pipeline.name).await.into(),
            pipeline,
            key,
        })
    }

    /// Needs of a pipeline's datums in earlier jobs; nothing if the record cannot be read.
    async fn usage(&self, pipeline: &PipelineName) -> UsageModel {
        let read = self.ledger.usage_model(pipeline).await;
        read.unwrap_or_else(|error| {
            tracing::debug!("what the datums of {pipeline} needed cannot be read: {error}");
            UsageModel::default()
        })
    }

    /// Notes for people how the commands of the job are confined. The job does not depend on it.
    async fn note_protection(&self, id: JobId) {
        let Some(protection) = self.phase.protection() else {
            return;
        };
        let line = protection.to_string();
        if let Err(error) = self.ledger.note_protection(id, &self.worker, &line).await {
            tracing::debug!(job.id = %id, "the protection of the worker could not be noted: {error}");
        }
    }

    /// Writes the lines to a file; none without lines.
    fn lines(&self, id: JobId, name: &str, lines: &[String]) -> Result<Option<PathBuf>, JobError> {
        if lines.is_empty() {
            return Ok(None);
        }
        let path = self.scratch.stdin(&format!("{id}.{name}"));
        let text = lines.join("\n") + "\n";
        let restored = self.scratch.restore();
        match restored.and_then(|()| std::fs::write(&path, text)) {
            Ok(()) => Ok(Some(path)),
            Err(source) => Err(JobError::Stdin { path, source }),
        }
    }

    /// Writes removed files of a job again.
    fn restore_lines(&self, job: &Job) -> Result<(), JobError> {
        let transform = &job.pipeline.transform;
        for (file, name, lines) in [
            (&job.stdin, STDIN, &transform.stdin),
            (&job.err_stdin, ERR_STDIN, &transform.err_stdin),
        ] {
            if file.as_ref().is_some_and(|file| !file.exists()) {
                self.lines(job.id, name, lines)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline::Secret;

    use super::*;

    #[test]
    fn a_command_of_another_user_gets_the_home_of_that_user() {
        let home = |home: &str| BTreeMap::from([("HOME".to_owned(), home.to_owned())]);
        let secret = Secret {
            name: "homes".to_owned(),
            key: None,
            mount_path: None,
            env_var: Some("HOME".to_owned()),
        };
        for (name, another, in_spec, is_secret, expected) in [
            ("the worker itself", None, None, false, "/root"),
            ("another", Some("/home/ana"), None, false, "/home/ana"),
            ("the spec says", Some("/"), Some("/spec"), false, "/spec"),
            ("a secret says", Some("/"), None, true, "/root"),
        ] {
            let transform = Transform {
                env: in_spec.map(home).unwrap_or_default(),
                secrets: is_secret.then(|| secret.clone()).into_iter().collect(),
                ..Transform::default()
            };
            let another = another.map(str::to_owned);
            let environment = environment(&home("/root"), another, &transform);
            assert_eq!(environment["HOME"], expected, "{name}");
        }
    }
}
