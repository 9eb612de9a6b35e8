//! What a worker knows of the jobs whose datums it takes: read from the ledger once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use drover_shared::datum::DatumInput;
use drover_shared::glob::Glob;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::{self, Findings, PfsInput, Pipeline, Transform};
use drover_shared::store::{Repos, Store, StoreError, StoreKey};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::jobs::Cancellations;
use crate::runner::home_of_another;
use crate::slots::Scratch;

/// Jobs remembered at the same time, beside those on their way. A worker meets few: those of its pipelines that run now.
const REMEMBERED: usize = 8;

/// A job, as far as its datums need it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) pipeline: Pipeline,
    /// Inherited variables and `transform.env`.
    pub(crate) environment: Arc<BTreeMap<String, String>>,
    /// Standard input of the command; none if it is empty.
    pub(crate) stdin: Option<PathBuf>,
    /// Standard input of `err_cmd`; none if it is empty.
    pub(crate) err_stdin: Option<PathBuf>,
    /// Cancelled when the job is to be stopped.
    pub(crate) stopped: CancellationToken,
    leaves: HashMap<u16, Leaf>,
}

/// Where the inputs of one pfs leaf lie, and how they are shown.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) store: Store,
    /// The repo's folder in that store.
    pub(crate) folder: StoreKey,
    pub(crate) shown: Shown,
    /// Files and directories left out.
    pub(crate) exclude: Vec<Glob>,
}

/// How the files of a leaf are shown to the command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// As they are.
    Whole,
    /// As FIFOs.
    Lazily,
    /// By name only.
    Empty,
}

/// The environment of a job's commands before their datums are told. The worker's `HOME` is no home of another user; the
/// spec's always is.
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

/// Why a job is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("the books of the job cannot be read")]
    Store(#[from] StoreError),
    #[error(
        "the spec of the job is not understood here; bring all Drover processes to one version"
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
    /// The leaf that an input came from; none for one that the spec does not have.
    pub(crate) fn leaf(&self, input: &DatumInput) -> Option<&Leaf> {
        self.leaves.get(&input.leaf)
    }
}

impl Leaf {
    async fn find(input: &PfsInput, repos: &Repos) -> Result<Self, StoreError> {
        let (store, folder) = repos.find(&input.repo, input.url.as_deref()).await?;
        let shown = match (input.lazy, input.empty_files) {
            (_, true) => Shown::Empty,
            (true, false) => Shown::Lazily,
            (false, false) => Shown::Whole,
        };
        Ok(Self {
            store,
            folder,
            shown,
            exclude: input.exclude.clone(),
        })
    }
}

/// The jobs this worker has met lately.
#[derive(Debug)]
pub(crate) struct Jobs {
    ledger: Ledger,
    repos: Repos,
    stops: Cancellations,
    scratch: Arc<Scratch>,
    inherited: BTreeMap<String, String>,
    recent: Mutex<VecDeque<Arc<Job>>>,
}

impl Jobs {
    pub(crate) fn new(
        ledger: &Ledger,
        stops: Cancellations,
        scratch: Arc<Scratch>,
        inherited: BTreeMap<String, String>,
    ) -> Self {
        Self {
            repos: Repos::new(ledger.store().clone()),
            ledger: ledger.clone(),
            stops,
            scratch,
            inherited,
            recent: Mutex::default(),
        }
    }

    /// The job, read from the ledger the first time. One that has ended or is to end counts as stopped.
    pub(crate) async fn get(&self, id: JobId) -> Result<Arc<Job>, JobError> {
        let mut recent = self.recent.lock().await;
        if let Some(place) = recent.iter().position(|job| job.id == id)
            && let Some(job) = recent.remove(place)
        {
            recent.push_front(Arc::clone(&job));
            return Ok(job);
        }
        let read = self.read(id).await.inspect_err(|_| self.stops.forget(id));
        let job = Arc::new(read?);
        recent.push_front(Arc::clone(&job));
        self.forget_idle(&mut recent);
        Ok(job)
    }

    /// Cancellations a job; returns its pipeline.
    pub(crate) async fn stop(&self, id: JobId) -> Result<PipelineName, StoreError> {
        self.stops.stop(id);
        Ok(self.ledger.job(id).await?.pipeline)
    }

    /// Forgets the jobs that were met longest ago, but none whose datums are on their way: they hear of a stop by it.
    fn forget_idle(&self, recent: &mut VecDeque<Arc<Job>>) {
        while recent.len() > REMEMBERED {
            let idle = recent.iter().rposition(|job| Arc::strong_count(job) == 1);
            let Some(job) = idle.and_then(|idle| recent.remove(idle)) else {
                return;
            };
            self.stops.forget(job.id);
            for file in [&job.stdin, &job.err_stdin].into_iter().flatten() {
                // If it stays, it goes with the scratch directory.
                let _ = std::fs::remove_file(file);
            }
        }
    }

    async fn read(&self, id: JobId) -> Result<Job, JobError> {
        // Before the look into the ledger, so that no stop is missed from then on.
        let stopped = self.stops.token(id);
        let is_over = self.ledger.job(id).await?.state.is_final();
        if is_over || self.ledger.stop_requested(id).await? {
            self.stops.stop(id);
        }
        let spec = self.ledger.spec(id).await?;
        let pipeline = pipeline::from_value(&spec).map_err(JobError::Spec)?;
        let mut leaves = HashMap::new();
        for input in pipeline.input.leaves() {
            leaves.insert(input.leaf, Leaf::find(input, &self.repos).await?);
        }
        let transform = &pipeline.transform;
        let another = transform.user.as_deref().and_then(home_of_another);
        Ok(Job {
            id,
            environment: environment(&self.inherited, another, transform).into(),
            stdin: self.lines(&format!("{id}.stdin"), &transform.stdin)?,
            err_stdin: self.lines(&format!("{id}.err_stdin"), &transform.err_stdin)?,
            stopped,
            leaves,
            pipeline,
        })
    }

    /// A file of these lines, none for no lines.
    fn lines(&self, name: &str, lines: &[String]) -> Result<Option<PathBuf>, JobError> {
        if lines.is_empty() {
            return Ok(None);
        }
        let path = self.scratch.stdin(name);
        let text = lines.join("\n") + "\n";
        match std::fs::write(&path, text) {
            Ok(()) => Ok(Some(path)),
            Err(source) => Err(JobError::Stdin { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline::Secret;

    use super::*;

    #[test]
    fn another_user_is_not_at_home_where_the_worker_is() {
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
