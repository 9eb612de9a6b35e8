//! Several processes at work on one store: publishers, services and workers, around a vhost of their own.

use std::ffi::OsStr;
use std::process::Command;

use crate::s3::S3;
use crate::{Job, Outcome, Running, Spec, Workspace, drover_worker, eventually, rabbit};

/// A store, a vhost of the broker, and the processes of a cluster. Declare the value before the processes, so that
/// the processes are dropped first.
#[derive(Debug)]
pub struct TestCluster {
    /// The store and its surroundings.
    pub workspace: Workspace,
    url: String,
    /// Further variables of the processes, such as the address of a bucket.
    environment: Vec<(&'static str, String)>,
}

impl TestCluster {
    /// A fresh store and a fresh vhost.
    pub fn new() -> Self {
        Self::at(rabbit::shared().vhost())
    }

    /// A store and a vhost that nobody has used, where Drover runs as an ordinary user, even if the tests run as root.
    pub fn of_ordinary_user() -> Self {
        Self {
            workspace: Workspace::of_ordinary_user(),
            ..Self::new()
        }
    }

    /// A store, and the broker at `url`.
    pub fn at(url: String) -> Self {
        Self {
            workspace: Workspace::new(),
            url,
            environment: Vec::new(),
        }
    }

    /// The bucket `cluster` as the store, and a vhost that nobody has used.
    pub fn on_bucket(s3: &S3) -> Self {
        let mut cluster = Self::new();
        cluster.environment.extend(s3.environment());
        cluster
            .environment
            .push(("DROVER_STORE", "s3://cluster".to_owned()));
        let scratch = cluster.workspace.outside("scratch");
        std::fs::create_dir(&scratch).expect("the workspace is writable");
        let scratch = scratch.to_str().expect("a temporary path is UTF-8");
        cluster.environment.push(("TMPDIR", scratch.to_owned()));
        cluster
    }

    /// The URL of the broker.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `drover` with these arguments, which knows the broker.
    pub fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = self.workspace.command(args);
        command.env("DROVER_BROKER", self.url());
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Starts `drover` with the arguments.
    pub fn start(&self, args: &[impl AsRef<OsStr>]) -> Running {
        self.workspace.start_command(self.command(args))
    }

    /// Runs `drover` with the arguments to the end.
    #[track_caller]
    pub fn call(&self, args: &[impl AsRef<OsStr>]) -> Outcome {
        self.start(args).finish()
    }

    /// Starts a coordinator.
    pub fn serve(&self) -> Running {
        self.start(&["serve"])
    }

    /// Starts a coordinator that reaches the broker at `url`.
    pub fn serve_at(&self, url: &str) -> Running {
        self.start(&["serve", "--broker", url])
    }

    /// `drover-worker` for a pipeline, with more arguments; it reaches the broker at `url`.
    pub fn worker_command(&self, url: &str, pipeline: &str, more: &[&str]) -> Command {
        let mut command = self.workspace.program(drover_worker());
        command
            .args(["--pipeline", pipeline])
            .args(more)
            .current_dir(self.workspace.store())
            .env("DROVER_BROKER", url)
            .env("DROVER_STORE", self.workspace.store())
            .env("OUTSIDE", self.workspace.outside(""))
            .envs(self.environment.iter().cloned());
        command
    }

    /// Starts a worker with two slots.
    pub fn worker(&self, pipeline: &str) -> Running {
        self.worker_with(pipeline, &["--slots", "2"])
    }

    /// Starts a worker with two slots that reaches the broker at `url`.
    pub fn worker_at(&self, url: &str, pipeline: &str) -> Running {
        let command = self.worker_command(url, pipeline, &["--slots", "2"]);
        self.workspace.start_command(command)
    }

    /// Starts a worker with these arguments.
    pub fn worker_with(&self, pipeline: &str, more: &[&str]) -> Running {
        let command = self.worker_command(self.url(), pipeline, more);
        self.workspace.start_command(command)
    }

    /// `drover publish`: the id of the job.
    #[track_caller]
    pub fn publish(&self, spec: &Spec) -> String {
        let spec = self.workspace.spec(spec);
        let outcome = self.call(&["publish", &spec]).code(0);
        let id = outcome.stdout.trim().to_owned();
        assert!(id.len() == 26, "not an id alone: {}", outcome.transcript());
        id
    }

    /// Starts `drover publish --wait`, with JSON output.
    pub fn start_publish_and_wait(&self, spec: &Spec) -> Running {
        let spec = self.workspace.spec(spec);
        self.start(&["publish", "--wait", "--output", "json", &spec])
    }

    /// The record of a job as it is now.
    #[track_caller]
    pub fn job(&self, id: &str) -> Job {
        let outcome = self.call(&["job", "--output", "json", id]);
        outcome.job()
    }

    /// Waits for the end of a job.
    #[track_caller]
    pub fn wait(&self, id: &str) -> Job {
        let outcome = self.call(&["wait", "--output", "json", id]);
        outcome.job()
    }

    /// Waits until commands have told `count` lines in a file beside the store.
    #[track_caller]
    pub fn wait_for_lines(&self, file: &str, count: usize) {
        eventually(&format!("{count} lines were told in {file}"), || {
            self.workspace.line_count(file) >= count
        });
    }
}

impl Default for TestCluster {
    fn default() -> Self {
        Self::new()
    }
}
