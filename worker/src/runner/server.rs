//! Runner server, the third process of a runner: sets up the sandbox, then runs one order after the
//! other.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;

use super::Order;
use super::command::{Attempt, AttemptOutcome, BatchCommand, IdleEnd};
use super::control_group::{GroupMeter, limit_processes};
use super::filesystem::DatumFilesystem;
use super::frame::{self, RunnerRequest, RunnerResponse};
use super::identity::identity;
use super::protection::Isolation;
use super::settings::{RunnerSettings, Sandbox, SandboxMode};
use super::spawner::{Restrictions, Spawner};
use super::start_error::StartError;

/// The server's ends of the pipes to the worker.
struct WorkerPipes {
    /// Requests of the worker. The end of the stream means that the worker has exited.
    requests: File,
    responses: File,
}

/// Serves the worker at the other end of stdin and stdout until the worker closes the pipes.
pub(super) fn serve(sandbox: Sandbox, group: &[PathBuf]) -> ExitCode {
    match WorkerPipes::of_this_process().and_then(|pipes| serve_on(pipes, sandbox, group)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

impl WorkerPipes {
    fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            requests: File::from(io::stdin().as_fd().try_clone_to_owned()?),
            responses: File::from(io::stdout().as_fd().try_clone_to_owned()?),
        })
    }
}

fn serve_on(mut pipes: WorkerPipes, sandbox: Sandbox, group: &[PathBuf]) -> io::Result<()> {
    let Some(RunnerRequest::Setup(settings)) = frame::read(&mut pipes.requests)? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    match set_up(sandbox, group, &settings) {
        Err(reason) => frame::write(&mut pipes.responses, &RunnerResponse::Refused(reason)),
        Ok((mut filesystem, spawner, mut meter)) => {
            let ready = RunnerResponse::Ready {
                pfs: filesystem.pfs().to_owned(),
                tmp: filesystem.tmp().to_owned(),
                protection: spawner.protection().clone(),
                kept: filesystem.host_entries_in_tmp().to_vec(),
                group: group.to_vec(),
            };
            frame::write(&mut pipes.responses, &ready)?;
            serve_orders(&mut pipes, &spawner, &mut filesystem, &mut meter, &settings)
        }
    }
}

fn set_up(
    sandbox: Sandbox,
    group: &[PathBuf],
    settings: &RunnerSettings,
) -> Result<(DatumFilesystem, Rc<Spawner>, Option<GroupMeter>), String> {
    if let Some(bits) = settings.umask {
        rustix::process::umask(Mode::from_bits_truncate(bits));
    }
    // Before anything is mounted over the files of control groups.
    let processes_limited = limit_processes(group, settings.limits.processes);
    let meter = GroupMeter::open(group);
    if sandbox != Sandbox::Namespaces {
        let own = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(own))
            .map_err(|error| format!("becoming a subreaper: {error}"))?;
    }
    let filesystem = DatumFilesystem::set_up(sandbox, settings)?;
    let spawner = Spawner::start(Restrictions {
        sandbox,
        privileged: settings.privileged,
        limits: settings.limits,
        processes_limited,
        hidden: settings.hidden.clone(),
        own: filesystem.command_directories(),
    })?;
    if settings.mode == SandboxMode::Strict {
        let protection = spawner.protection();
        if protection.isolation != Isolation::Full || !protection.capabilities_dropped {
            return Err(format!("the protection is incomplete: {protection}"));
        }
    }
    Ok((filesystem, Rc::new(spawner), meter))
}

fn serve_orders(
    pipes: &mut WorkerPipes,
    spawner: &Rc<Spawner>,
    filesystem: &mut DatumFilesystem,
    meter: &mut Option<GroupMeter>,
    settings: &RunnerSettings,
) -> io::Result<()> {
    let mut batch_command = None;
    let mut base = Arc::default();
    while let Some(request) = next_request(pipes, filesystem, &mut batch_command, settings.idle)? {
        let order = match request {
            RunnerRequest::Run(order) => Order {
                base: Arc::clone(&base),
                ..order.into_owned()
            },
            RunnerRequest::Base(other) => {
                base = Arc::new(other.into_owned());
                continue;
            }
            RunnerRequest::Cancel | RunnerRequest::Kill => continue, // it came too late: that command has ended
            RunnerRequest::Setup(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        if let Some(meter) = meter {
            meter.begin(order.memory_limit);
        }
        match attempt(
            &order,
            spawner,
            filesystem,
            &mut batch_command,
            pipes,
            settings.log_limit,
        )? {
            AttemptOutcome::Ended(mut execution) => {
                if let Some(meter) = meter {
                    let reading = meter.end();
                    execution.cost.group_memory = reading.memory;
                    execution.cost.kills = reading.kills;
                }
                frame::write(
                    &mut pipes.responses,
                    &RunnerResponse::Ended(Box::new(execution)),
                )?;
            }
            AttemptOutcome::Unfit(reason) => {
                return frame::write(&mut pipes.responses, &RunnerResponse::Unfit(reason));
            }
            AttemptOutcome::WorkerGone => return Ok(()),
        }
    }
    Ok(())
}

/// The next request; `None` when the worker has exited. A batch command that idles too long is ended.
fn next_request(
    pipes: &mut WorkerPipes,
    filesystem: &mut DatumFilesystem,
    batch_command: &mut Option<BatchCommand>,
    idle: Duration,
) -> io::Result<Option<RunnerRequest<'static>>> {
    if let Some(mut idle_command) = batch_command.take() {
        match idle_command.wait_idle(&pipes.requests, idle)? {
            IdleEnd::Request => *batch_command = Some(idle_command),
            IdleEnd::Over => idle_command.terminate(filesystem)?,
        }
    }
    frame::read(&mut pipes.requests)
}

/// Runs one attempt, from the preparation of `/pfs` to the end of the command.
fn attempt(
    order: &Order,
    spawner: &Rc<Spawner>,
    filesystem: &mut DatumFilesystem,
    batch_command: &mut Option<BatchCommand>,
    pipes: &mut WorkerPipes,
    log_limit: u64,
) -> io::Result<AttemptOutcome> {
    if let Some(other) = batch_command.take_if(|batch_command| !batch_command.matches(order)) {
        other.terminate(filesystem)?;
    }
    let identity = match identity(order.user.as_deref()) {
        Ok(identity) => identity,
        Err(message) => return Ok(StartError::Order(message).into()),
    };
    let attempt = Attempt {
        order,
        spawner,
        filesystem,
        identity,
        log_limit,
    };
    match &order.batch {
        None => attempt.run(&mut pipes.requests),
        Some(variables) => attempt.run_batch(variables, batch_command, &mut pipes.requests),
    }
}
