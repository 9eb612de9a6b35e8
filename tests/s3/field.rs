//! A bucket as the store, and `drover` at work on it.

use std::process::Command;

use drover_tests::s3::{Listing, S3};
use tempfile::TempDir;

use drover_tests::{Job, Outcome, Running, Spec, Tree, Workspace};

/// A server whose bucket `cluster` is the store, with a folder for what commands tell.
pub(crate) struct Field {
    pub(crate) s3: S3,
    pub(crate) workspace: Workspace,
    /// For working directories, which lie beside no bucket.
    scratch: TempDir,
}

impl Field {
    /// An empty bucket whose listings tell no `e_tag`.
    pub(crate) fn new() -> Self {
        Self::listing(Listing::default())
    }

    /// An empty bucket with such listings.
    pub(crate) fn listing(listing: Listing) -> Self {
        Self {
            s3: S3::listing(listing),
            workspace: Workspace::new(),
            scratch: TempDir::with_prefix_in("drover-test-", "/var/tmp").expect("it can be made"),
        }
    }

    /// `drover` with these arguments, in whose environment the store and the server are.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.workspace.command(args);
        self.s3.introduce(&mut command);
        command.env("DROVER_STORE", "s3://cluster");
        command.env("TMPDIR", self.scratch.path());
        command
    }

    /// Runs `drover` with the arguments to the end.
    #[track_caller]
    pub(crate) fn call(&self, args: &[&str]) -> Outcome {
        self.workspace.start_command(self.command(args)).finish()
    }

    /// Starts `drover run` of a spec, with JSON output.
    pub(crate) fn start_run(&self, spec: &Spec) -> Running {
        let spec = self.workspace.spec(spec);
        let command = self.command(&["run", "--output", "json", &spec]);
        self.workspace.start_command(command)
    }

    /// `drover run` of a spec to its end, with JSON output.
    #[track_caller]
    pub(crate) fn run(&self, spec: &Spec) -> Outcome {
        self.start_run(spec).finish()
    }

    /// `drover run` of a spec that must succeed.
    #[track_caller]
    pub(crate) fn succeeds(&self, spec: &Spec) -> Job {
        self.run(spec).code(0).job()
    }

    /// `drover run` of a spec that must fail.
    #[track_caller]
    pub(crate) fn fails(&self, spec: &Spec) -> Job {
        self.run(spec).code(1).job()
    }

    /// Puts an object of the store.
    pub(crate) fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.s3.put(&format!("cluster/{path}"), bytes);
    }

    /// The files below a folder of the store.
    pub(crate) fn tree(&self, folder: &str) -> Tree {
        self.s3.tree(&format!("cluster/{folder}"))
    }
}
