//! A store of a test's own, and `drover` at work in it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::Uid;
use tempfile::TempDir;

use crate::{Outcome, Running, Spec, Tree, drover, drover_worker, eventually, processes_marked};

/// A store in a folder of its own, with a folder beside the store for notes of commands. When the workspace is
/// dropped, no process that was started in it may be left. The workspace of a failed test is kept for inspection.
#[derive(Debug)]
pub struct Workspace {
    root: TempDir,
    calls: AtomicU32,
    ordinary_user: bool,
}

/// True if the tests run as root.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

impl Workspace {
    /// An empty store. Not below `/tmp`, which each datum has for itself.
    pub fn new() -> Self {
        Self::under(Path::new("/var/tmp"))
    }

    /// An empty store below `folder`.
    pub fn under(folder: &Path) -> Self {
        let root = TempDir::with_prefix_in("drover-test-", folder)
            .expect("a temporary folder can be made");
        fs::create_dir(root.path().join("store")).expect("the workspace is writable");
        fs::create_dir(root.path().join("outside")).expect("the workspace is writable");
        Self {
            root,
            calls: AtomicU32::new(0),
            ordinary_user: false,
        }
    }

    /// An empty store where Drover runs as an ordinary user, even if the tests run as root.
    pub fn of_ordinary_user() -> Self {
        let mut workspace = Self::new();
        if is_root() {
            workspace.ordinary_user = true;
            let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777));
            for folder in [
                workspace.root.path().to_owned(),
                workspace.store(),
                workspace.outside(""),
            ] {
                open(&folder).expect("the workspace is ours");
            }
            // The repository may lie where only root may look.
            for binary in [drover(), drover_worker()] {
                fs::copy(binary, workspace.beside(binary)).expect("the binary can be copied");
            }
        }
        workspace
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    /// A file beside the store; commands know the folder as `$OUTSIDE`.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.root.path().join("outside").join(name)
    }

    /// A path in the store.
    pub fn path(&self, path: &str) -> PathBuf {
        self.store().join(path)
    }

    /// Writes a file in the store.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file has a folder"))
            .expect("the store is writable");
        fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// Copies all that lies in a folder into the store.
    pub fn copy_of(&self, folder: &Path) {
        copy(folder, &self.store());
    }

    /// Writes `count` files `<repo>/000`, `<repo>/001` … with their own numbers as content.
    pub fn numbered_files(&self, repo: &str, count: usize) {
        for number in 0..count {
            self.file(&format!("{repo}/{number:03}"), format!("{number}\n"));
        }
    }

    /// Removes a file of the store.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path))
            .unwrap_or_else(|error| panic!("cannot remove {path}: {error}"));
    }

    /// The files below a folder of the store.
    pub fn tree(&self, folder: &str) -> Tree {
        Tree::read(&self.path(folder))
    }

    /// How often each line was appended to a file beside the store.
    pub fn tally(&self, name: &str) -> BTreeMap<String, u32> {
        let mut tally = BTreeMap::new();
        for line in fs::read_to_string(self.outside(name))
            .unwrap_or_default()
            .lines()
        {
            *tally.entry(line.to_owned()).or_default() += 1;
        }
        tally
    }

    /// How many lines were appended to a file beside the store.
    pub fn line_count(&self, name: &str) -> usize {
        fs::read_to_string(self.outside(name))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// Lets commands go on that wait for this file: `while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done`.
    pub fn open_gate(&self, name: &str) {
        fs::write(self.outside(name), "").expect("the workspace is writable");
    }

    /// Writes the spec into the store's parent and gives its path.
    pub fn spec(&self, spec: &Spec) -> String {
        self.spec_text(&format!("{}.json", spec.name()), &format!("{:#}", spec.0))
    }

    /// Writes a spec as text and gives its path.
    pub fn spec_text(&self, file: &str, text: &str) -> String {
        let path = self.root.path().join(file);
        fs::write(&path, text).expect("the workspace is writable");
        path.to_str().expect("a temporary path is UTF-8").to_owned()
    }

    /// `drover` with these arguments in the store, its environment free of our own settings.
    pub fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = self.program(drover());
        command
            .args(args)
            .current_dir(self.store())
            .env("OUTSIDE", self.outside(""))
            // Many services run at the same time; the tests of the page say where they want it.
            .env("DROVER_HTTP", "none");
        for ours in [
            "DROVER_STORE",
            "DROVER_BROKER",
            "DROVER_OUTPUT",
            "DROVER_TOKEN",
            "DROVER_READ_TOKEN",
            "NO_COLOR",
        ] {
            command.env_remove(ours);
        }
        command
    }

    /// One of our binaries, as the user of the workspace.
    pub(crate) fn program(&self, binary: &Path) -> Command {
        if !self.ordinary_user {
            return Command::new(binary);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command.arg(self.beside(binary));
        command
    }

    /// The copy of a binary that an ordinary user may run.
    fn beside(&self, binary: &Path) -> PathBuf {
        let name = binary.file_name().expect("a binary has a name");
        self.root.path().join(name)
    }

    /// Starts a command of this workspace.
    pub fn start_command(&self, command: Command) -> Running {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        Running::start(command, &self.root.path().join(format!("call-{call}")))
    }

    /// Starts `drover` with the arguments.
    pub fn start(&self, args: &[impl AsRef<OsStr>]) -> Running {
        self.start_command(self.command(args))
    }

    /// Runs `drover` with the arguments to the end.
    #[track_caller]
    pub fn call(&self, args: &[impl AsRef<OsStr>]) -> Outcome {
        self.start(args).finish()
    }

    /// Starts `drover run` of a spec, with JSON output and more arguments.
    pub fn start_run(&self, spec: &Spec, more: &[&str]) -> Running {
        let spec = self.spec(spec);
        self.start(&[&["run", "--output", "json", &spec], more].concat())
    }

    /// `drover run` of a spec to its end, with JSON output.
    #[track_caller]
    pub fn run(&self, spec: &Spec) -> Outcome {
        self.start_run(spec, &[]).finish()
    }

    /// `drover run` of a spec that must succeed.
    #[track_caller]
    pub fn succeeds(&self, spec: &Spec) -> crate::Job {
        self.run(spec).code(0).job()
    }

    /// `drover run` of a spec that must fail.
    #[track_caller]
    pub fn fails(&self, spec: &Spec) -> crate::Job {
        self.run(spec).code(1).job()
    }

    /// The processes of the workspace.
    pub fn processes(&self) -> Vec<String> {
        processes_marked(
            self.root
                .path()
                .to_str()
                .expect("a temporary path is UTF-8"),
        )
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The output of the processes gives the reason.
            self.root.disable_cleanup(true);
        } else {
            let mut left = Vec::new();
            eventually("every process of the workspace was gone", || {
                left = self.processes();
                left.is_empty()
            });
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the store is writable");
    for entry in fs::read_dir(from).expect("it is a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("the store is writable");
        }
    }
}
