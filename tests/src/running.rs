//! A running `drover`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Outcome, eventually};

/// A started process; killed when dropped. The output goes to files, so no reader has to drain pipes.
#[derive(Debug)]
pub struct Running {
    child: Child,
    ended: Option<ExitStatus>,
    said: PathBuf,
}

impl Running {
    /// Starts `command`; what it says is kept in `said.stdout` and `said.stderr`.
    pub fn start(mut command: Command, said: &Path) -> Self {
        let file =
            |kind| File::create(said.with_extension(kind)).expect("the workspace is writable");
        command
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self {
            child,
            ended: None,
            said: said.to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, unless the process has ended.
    pub fn signal(&mut self, signal: Signal) {
        if !self.has_ended() {
            let pid = Pid::from_raw(self.child.id().try_into().expect("a pid is small"));
            kill(pid, signal).expect("a child can be signalled");
        }
    }

    /// True if the process has ended.
    pub fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child can be waited for");
        }
        self.ended.is_some()
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.said.with_extension("stdout"))
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        read(&self.said.with_extension("stderr"))
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Outcome {
        let stderr = self.said.with_extension("stderr");
        eventually(
            &format!("process {} ended (see {})", self.pid(), stderr.display()),
            || self.has_ended(),
        );
        let status = self.ended.expect("it has ended");
        Outcome {
            status,
            stdout: read(&self.said.with_extension("stdout")),
            stderr: read(&stderr),
        }
    }

    /// Ends it by SIGKILL, as a power cut would.
    pub fn kill(mut self) -> Outcome {
        self.signal(Signal::SIGKILL);
        self.finish()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
