//! The spawner's main loop: one command at a time, from start to the end of its last descendant.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, kill_process_group, pidfd_open, set_child_subreaper,
};
use wait4::Wait4;

use super::message::{CommandSpec, Restrictions, SpawnerRequest, SpawnerResponse, receive, send};
use super::orphans::{self, Reach};
use super::shared_memory::SharedMemory;
use super::usage::ChildrenUsage;
use super::{capabilities, landlock, limits};
use crate::runner::control_group::is_in_control_group;
use crate::runner::protection::{Hiding, Protection};
use crate::runner::settings::Sandbox;

/// How long processes may take to exit after KILL. A process that takes longer hangs in the kernel, and the slot is unfit.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval for reaping orphans while a command runs.
const REAP_INTERVAL: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Spawns commands for the server at the other end of stdin until the server closes the socket.
pub(in crate::runner) fn spawn_commands() -> ExitCode {
    let socket = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from);
    match socket.and_then(|socket| serve(&socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(socket: &UnixStream) -> io::Result<()> {
    let Some((SpawnerRequest::Restrict(restrictions), _)) = receive(socket)? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let restrictions = restrictions.into_owned();
    match restrict(&restrictions) {
        Ok(protection) => {
            let private_ipc = protection.private_ipc;
            send(socket, &SpawnerResponse::Ready(protection), &[])?;
            CommandLoop {
                socket,
                reach: if restrictions.own_pid_namespace() {
                    Reach::Namespace
                } else {
                    Reach::Children
                },
                private_ipc,
                shared_memory: SharedMemory::of(restrictions.sandbox),
                running: None,
            }
            .run()
        }
        Err(reason) => send(socket, &SpawnerResponse::Refused(reason), &[]),
    }
}

/// Restricts the current process and its future commands.
fn restrict(restrictions: &Restrictions) -> Result<Protection, String> {
    set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("becoming a subreaper: {error}"))?;
    limits::prefer_as_victim();
    limits::lower(restrictions.limits, restrictions.processes_limited)
        .map_err(|error| format!("the limits of commands cannot be set: {error}"))?;
    let mounts = matches!(restrictions.sandbox, Sandbox::Namespaces | Sandbox::Mounts);
    let mut missing = Vec::new();
    let capabilities_dropped = if restrictions.privileged {
        capabilities::keep()
    } else {
        capabilities::drop_all_but_usual(mounts)
    }
    .map_err(|error| format!("capabilities cannot be dropped: {error}"))?;
    if !capabilities_dropped && !restrictions.privileged {
        missing.push("capabilities cannot be dropped without CAP_SETPCAP".to_owned());
    }
    let domain = landlock::enter(restrictions, mounts);
    missing.extend(domain.missing);
    Ok(Protection {
        capabilities_dropped,
        isolation: domain.isolation,
        hiding: if mounts {
            Hiding::Mounts
        } else {
            domain.hiding
        },
        private_ipc: mounts,
        control_group: is_in_control_group(),
        missing,
    })
}

struct CommandLoop<'a> {
    socket: &'a UnixStream,
    reach: Reach,
    private_ipc: bool,
    shared_memory: Option<SharedMemory>,
    running: Option<RunningCommand>,
}

struct RunningCommand {
    child: Child,
    pidfd: OwnedFd,
    group: Pid,
    /// Resources that earlier commands used.
    before: ChildrenUsage,
}

impl CommandLoop<'_> {
    fn run(mut self) -> io::Result<()> {
        loop {
            if self.wait()? {
                self.finish()?;
                continue;
            }
            match receive(self.socket)? {
                Some((request, descriptors)) => self.handle(request, descriptors)?,
                None => return self.kill_all(),
            }
        }
    }

    /// Waits for a request or the end of the command; true if the command has ended.
    fn wait(&self) -> io::Result<bool> {
        loop {
            let mut watched = vec![PollFd::new(self.socket, PollFlags::IN)];
            watched.extend(
                self.running
                    .iter()
                    .map(|running| PollFd::new(&running.pidfd, PollFlags::IN)),
            );
            let interval = self.running.as_ref().map(|_| &REAP_INTERVAL);
            match poll(&mut watched, interval) {
                Ok(0) => {
                    if let Some(running) = &self.running {
                        orphans::reap_except(running.child.id());
                    }
                }
                Ok(_) => {
                    return Ok(watched
                        .get(1)
                        .is_some_and(|ended| !ended.revents().is_empty()));
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn handle(&mut self, request: SpawnerRequest<'_>, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        match request {
            SpawnerRequest::Start(command) if self.running.is_none() => {
                match self.start(&command, descriptors) {
                    Ok(()) => send(self.socket, &SpawnerResponse::Started, &[]),
                    Err(error) => {
                        let errno = error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error());
                        send(self.socket, &SpawnerResponse::Failed(errno), &[])
                    }
                }
            }
            SpawnerRequest::Signal(number) => {
                self.signal(Signal::from_named_raw(number));
                Ok(())
            }
            SpawnerRequest::Kill => {
                self.signal(Some(Signal::KILL));
                Ok(())
            }
            SpawnerRequest::Start(_) | SpawnerRequest::Restrict(_) => {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
    }

    fn start(&mut self, spec: &CommandSpec<'_>, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        if self.private_ipc && spec.fresh {
            unshare(CloneFlags::CLONE_NEWIPC)?;
        }
        let mut descriptors = descriptors.into_iter().map(Stdio::from);
        let mut standard = || descriptors.next().unwrap_or(Stdio::null());
        let mut command = Command::new(&spec.program);
        command
            .stdout(standard())
            .stderr(standard())
            .stdin(standard())
            .env_clear()
            .envs(&*spec.base)
            .envs(&*spec.env)
            .process_group(0);
        if let Some((name, arguments)) = spec.argv.split_first() {
            command.arg0(name).args(arguments);
        }
        if let Some(directory) = &spec.working_dir {
            command.current_dir(directory);
        }
        if let Some((user, group)) = spec.identity {
            command.uid(user).gid(group);
        }
        if let Some(memory) = &mut self.shared_memory {
            let own = rustix::process::geteuid().as_raw();
            memory.used_by(spec.identity.map_or(own, |(user, _)| user));
        }
        let child = command.spawn()?;
        let group = Pid::from_child(&child);
        self.running = Some(RunningCommand {
            pidfd: pidfd_open(group, PidfdFlags::empty())?,
            child,
            group,
            before: ChildrenUsage::now(),
        });
        Ok(())
    }

    /// Signals the process group. The leader is not reaped yet, so its number cannot denote another group.
    fn signal(&self, signal: Option<Signal>) {
        if let (Some(running), Some(signal)) = (&self.running, signal) {
            let _ = kill_process_group(running.group, signal);
        }
    }

    /// Ends the remaining processes of a command whose main process has ended, and reports the exit status.
    fn finish(&mut self) -> io::Result<()> {
        self.signal(Some(Signal::KILL));
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        let main = running.child.wait4()?;
        let response = match orphans::kill_orphans(self.reach, KILL_TIMEOUT) {
            Ok(()) => {
                let used = running.before.until_now(main.rusage.maxrss);
                SpawnerResponse::Exited(main.status.into_raw(), used)
            }
            Err(error) => SpawnerResponse::Stuck(error.to_string()),
        };
        if let Some(memory) = &self.shared_memory {
            memory.clean();
        }
        send(self.socket, &response, &[])
    }

    /// Ends everything when the server has exited.
    fn kill_all(&mut self) -> io::Result<()> {
        self.signal(Some(Signal::KILL));
        if let Some(mut running) = self.running.take() {
            running.child.wait()?;
        }
        orphans::kill_orphans(self.reach, KILL_TIMEOUT)
    }
}
