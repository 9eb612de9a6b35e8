//! A slot for tests: a store with files in it, a scratch directory, a runner.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drover_worker::runner::{
    Execution, Inputs, Mount, MountKind, Order, Runner, RunnerSettings, SandboxMode,
};
use tokio_util::sync::CancellationToken;

/// The sandboxes available wherever tests run.
pub(crate) const MODES: [SandboxMode; 3] = [
    SandboxMode::Namespaces,
    SandboxMode::Mounts,
    SandboxMode::None,
];

/// A runner with a folder to work in.
pub(crate) struct Slot {
    pub(crate) runner: Runner,
    pub(crate) folder: tempfile::TempDir,
}

/// Settings for a runner below `folder`.
pub(crate) fn settings(folder: &Path, mode: SandboxMode) -> RunnerSettings {
    RunnerSettings {
        program: PathBuf::from(env!("CARGO_BIN_EXE_drover-worker")),
        mode,
        reachable: vec![folder.to_owned()],
        ..RunnerSettings::new(folder.join("scratch"))
    }
}

impl Slot {
    /// A slot in the sandbox `mode` asks for.
    pub(crate) async fn with(mode: SandboxMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runner = Runner::start(&settings(folder.path(), mode)).await.unwrap();
        Self { runner, folder }
    }

    /// A slot below a mount that propagates its mounts to the runner; needs to be root.
    pub(crate) async fn with_shared_mounts(mode: SandboxMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        for arguments in [vec!["--bind", path, path], vec!["--make-shared", path]] {
            let mounted = std::process::Command::new("mount").args(arguments).status();
            assert!(mounted.unwrap().success());
        }
        let runner = Runner::start(&settings(folder.path(), mode)).await.unwrap();
        Self { runner, folder }
    }

    /// A slot whose commands keep all capabilities.
    pub(crate) async fn privileged(mode: SandboxMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = RunnerSettings {
            privileged: true,
            ..settings(folder.path(), mode)
        };
        let runner = Runner::start(&settings).await.unwrap();
        Self { runner, folder }
    }

    /// Starts another runner in its place.
    pub(crate) async fn renew(&mut self, mode: SandboxMode) {
        let runner = Runner::start(&settings(self.folder.path(), mode)).await;
        self.runner = runner.unwrap();
    }

    /// Writes a file of the store; returns its path.
    pub(crate) fn file(&self, path: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join("store").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    /// An order for a shell script, for a new datum without inputs.
    pub(crate) fn sh(&self, script: &str) -> Order {
        self.command(&["sh", "-c", script])
    }

    /// An order for a command, for a new datum without inputs.
    pub(crate) fn command(&self, argv: &[&str]) -> Order {
        Order {
            inputs: Inputs::Fresh(Vec::new()),
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            base: Arc::default(),
            env: BTreeMap::from([
                ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
                (
                    "PFS".to_owned(),
                    self.runner.pfs().to_str().unwrap().to_owned(),
                ),
                (
                    "TMPDIR".to_owned(),
                    self.runner.tmp().to_str().unwrap().to_owned(),
                ),
                (
                    "STORE".to_owned(),
                    self.folder
                        .path()
                        .join("store")
                        .to_str()
                        .unwrap()
                        .to_owned(),
                ),
            ]),
            stdin: None,
            user: None,
            working_dir: None,
            timeout: Some(Duration::from_secs(30)),
            grace: Duration::from_secs(5),
            batch: None,
            memory_limit: None,
            log: self.log(),
        }
    }

    /// Path of the log.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Runs an order to its end.
    pub(crate) async fn run(&mut self, order: &Order) -> Execution {
        self.runner
            .run(order, &CancellationToken::new())
            .await
            .unwrap()
    }

    /// The log without timestamps.
    pub(crate) fn logged(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        text.lines()
            .map(|line| line.split_once(' ').unwrap().1.to_owned() + "\n")
            .collect()
    }

    /// Contents of a file that the command left in `out`.
    pub(crate) fn out(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.runner.out().join(path)).ok()
    }
}

/// An input.
pub(crate) fn input(source: &Path, target: &str, kind: MountKind) -> Mount {
    Mount {
        source: source.to_owned(),
        target: PathBuf::from(target),
        kind,
    }
}
