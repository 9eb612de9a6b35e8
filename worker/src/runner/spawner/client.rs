//! The server's end: starts the spawner, and has it start, signal and kill commands.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;

use super::message::{CommandSpec, Restrictions, SpawnerRequest, SpawnerResponse, receive, send};
use super::orphans;
use crate::runner::HIDDEN_ARGUMENT;
use crate::runner::execution::EndedProcesses;
use crate::runner::protection::Protection;
use crate::runner::settings::Sandbox;

/// How long the spawner may take to kill a command with all its descendants.
const KILL_TIMEOUT: Duration = Duration::from_secs(15);

/// Exit status of a command whose spawner was killed: most likely the command did it.
const KILLED: i32 = 9;

/// A spawner process, replaced when a command kills it.
pub(in crate::runner) struct Spawner {
    restrictions: Restrictions,
    running: RefCell<Running>,
    protection: Protection,
}

struct Running {
    process: Child,
    socket: UnixStream,
}

impl Spawner {
    /// Starts a spawner with these restrictions.
    pub(in crate::runner) fn start(restrictions: Restrictions) -> Result<Self, String> {
        let (running, protection) = Running::start(&restrictions)?;
        Ok(Self {
            restrictions,
            running: RefCell::new(running),
            protection,
        })
    }

    /// The protection in force.
    pub(in crate::runner) fn protection(&self) -> &Protection {
        &self.protection
    }

    /// A copy of the socket, readable when the command has ended.
    pub(in crate::runner) fn socket(&self) -> io::Result<UnixStream> {
        self.running.borrow().socket.try_clone()
    }

    /// Starts a command. The inner error is that of the system call that failed.
    pub(in crate::runner) fn spawn(
        &self,
        command: CommandSpec<'_>,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<io::Result<()>> {
        let running = self.running.borrow();
        let request = SpawnerRequest::Start(command);
        send(&running.socket, &request, descriptors)?;
        match running.receive()? {
            // A command that killed the spawner at once is noticed as the end of the command.
            Some(SpawnerResponse::Started) | None => Ok(Ok(())),
            Some(SpawnerResponse::Failed(errno)) => Ok(Err(io::Error::from_raw_os_error(errno))),
            Some(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Signals the process group of the command. An exited command, or an exited spawner, is no error: both are noticed
    /// by [`end`](Self::end).
    pub(in crate::runner) fn signal(&self, signal: Signal) {
        let request = SpawnerRequest::Signal(signal.as_raw());
        let _ = send(&self.running.borrow().socket, &request, &[]);
    }

    /// Kills the remaining processes of the command, and returns the exit status of the main process and what all of them
    /// used, if known.
    pub(in crate::runner) fn end(&self) -> io::Result<(ExitStatus, Option<EndedProcesses>)> {
        let ended = self.running.borrow().end();
        match ended {
            Ok(Some((status, used))) => Ok((status, Some(used))),
            Ok(None) => self.replace(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.replace(),
            Err(error) => Err(error),
        }
    }

    /// Replaces a killed or stopped spawner, after its orphans were killed.
    fn replace(&self) -> io::Result<(ExitStatus, Option<EndedProcesses>)> {
        let mut running = self.running.borrow_mut();
        let _ = running.process.kill();
        running.process.wait()?;
        orphans::kill_orphans(orphans::Reach::of_this_process(), KILL_TIMEOUT)?;
        let (started, _) = Running::start(&self.restrictions).map_err(io::Error::other)?;
        *running = started;
        Ok((ExitStatus::from_raw(KILLED), None))
    }
}

impl Running {
    fn start(restrictions: &Restrictions) -> Result<(Self, Protection), String> {
        let failed = |error: io::Error| format!("the spawner cannot be started: {error}");
        let (socket, others) = UnixStream::pair().map_err(failed)?;
        let process = Command::new("/proc/self/exe")
            .arg0("drover-spawner")
            .args([HIDDEN_ARGUMENT, "spawn", restrictions.sandbox.name(), ""])
            .stdin(OwnedFd::from(others))
            .spawn()
            .map_err(failed)?;
        let running = Self { process, socket };
        send(
            &running.socket,
            &SpawnerRequest::Restrict(Cow::Borrowed(restrictions)),
            &[],
        )
        .map_err(failed)?;
        match running.receive().map_err(failed)? {
            Some(SpawnerResponse::Ready(protection)) => Ok((running, protection)),
            Some(SpawnerResponse::Refused(reason)) => Err(reason),
            Some(_) => Err("the spawner sent an unexpected message".to_owned()),
            None => Err("the spawner exited while it restricted itself".to_owned()),
        }
    }

    fn receive(&self) -> io::Result<Option<SpawnerResponse>> {
        Ok(receive(&self.socket)?.map(|(response, _)| response))
    }

    /// The exit status and what the processes used; `None` if the spawner has exited.
    fn end(&self) -> io::Result<Option<(ExitStatus, EndedProcesses)>> {
        if send(&self.socket, &SpawnerRequest::Kill, &[]).is_err() {
            return Ok(None);
        }
        self.socket.set_read_timeout(Some(KILL_TIMEOUT))?;
        let response = self.receive();
        self.socket.set_read_timeout(None)?;
        match response? {
            Some(SpawnerResponse::Exited(status, used)) => {
                Ok(Some((ExitStatus::from_raw(status), used)))
            }
            Some(SpawnerResponse::Stuck(reason)) => Err(io::Error::other(reason)),
            Some(_) => Err(io::ErrorKind::InvalidData.into()),
            None => Ok(None),
        }
    }
}

impl Restrictions {
    /// True if the spawner is in a PID namespace of the runner alone.
    pub(super) fn own_pid_namespace(&self) -> bool {
        self.sandbox == Sandbox::Namespaces
    }
}
