//! The second of a runner's two processes: sets up the sandbox, then runs one order after the other in it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;

use super::command::{self, Attempt, Outcome, Resident, Rest};
use super::frame::{self, Request, Response};
use super::hindrance::Hindrance;
use super::settings::{RunnerSettings, Sandbox};
use super::tree::Tree;
use super::{Order, namespaces};

/// The server's ends of the pipes to the worker.
pub(super) struct Pipes {
    /// Where requests come from; at its end the worker is gone.
    pub(super) requests: File,
    /// Where responses go.
    responses: File,
}

/// Serves the worker at the other end of stdin and stdout until it closes them.
pub(super) fn serve(sandbox: Sandbox) -> ExitCode {
    match Pipes::of_this_process().and_then(|pipes| serve_on(pipes, sandbox)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

impl Pipes {
    fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            requests: File::from(io::stdin().as_fd().try_clone_to_owned()?),
            responses: File::from(io::stdout().as_fd().try_clone_to_owned()?),
        })
    }
}

fn serve_on(mut pipes: Pipes, sandbox: Sandbox) -> io::Result<()> {
    let Some(Request::Setup(settings)) = frame::read(&mut pipes.requests)? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    match set_up(sandbox, &settings) {
        Err(reason) => frame::write(&mut pipes.responses, &Response::Refused(reason)),
        Ok(mut tree) => {
            let ready = Response::Ready {
                pfs: tree.pfs().to_owned(),
                tmp: tree.tmp().to_owned(),
                kept: tree.kept_in_tmp().to_vec(),
            };
            frame::write(&mut pipes.responses, &ready)?;
            serve_orders(&mut pipes, &mut tree, &settings)
        }
    }
}

fn set_up(sandbox: Sandbox, settings: &RunnerSettings) -> Result<Tree, String> {
    if let Some(bits) = settings.umask {
        rustix::process::umask(Mode::from_bits_truncate(bits));
    }
    if sandbox != Sandbox::Namespaces {
        let own = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(own))
            .map_err(|error| format!("becoming a subreaper: {error}"))?;
    }
    let tree = Tree::set_up(sandbox, settings)?;
    // From here on only this process may mount, not what it executes.
    namespaces::keep_to_oneself()
        .map_err(|error| format!("giving up the right to mount: {error}"))?;
    Ok(tree)
}

fn serve_orders(pipes: &mut Pipes, tree: &mut Tree, settings: &RunnerSettings) -> io::Result<()> {
    let mut resident = None;
    let mut base = Arc::default();
    while let Some(request) = next_request(pipes, tree, &mut resident, settings.idle)? {
        let order = match request {
            Request::Run(order) => Order {
                base: Arc::clone(&base),
                ..order.into_owned()
            },
            Request::Base(other) => {
                base = Arc::new(other.into_owned());
                continue;
            }
            Request::Cancel => continue, // it came too late: that command has ended
            Request::Setup(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        match attempt(&order, tree, &mut resident, pipes, settings.log_limit)? {
            Outcome::Ended(execution) => {
                frame::write(&mut pipes.responses, &Response::Ended(Box::new(execution)))?;
            }
            Outcome::Unfit(reason) => {
                return frame::write(&mut pipes.responses, &Response::Unfit(reason));
            }
            Outcome::WorkerGone => return Ok(()),
        }
    }
    Ok(())
}

/// The next request; none when the worker is gone. A command that waits for it in vain is dismissed.
fn next_request(
    pipes: &mut Pipes,
    tree: &mut Tree,
    resident: &mut Option<Resident>,
    idle: Duration,
) -> io::Result<Option<Request<'static>>> {
    if let Some(mut waiting) = resident.take() {
        match waiting.rest(&pipes.requests, idle)? {
            Rest::Request => *resident = Some(waiting),
            Rest::Over => waiting.dismiss(tree)?,
        }
    }
    frame::read(&mut pipes.requests)
}

/// One attempt, from the preparation of its tree to its end.
fn attempt(
    order: &Order,
    tree: &mut Tree,
    resident: &mut Option<Resident>,
    pipes: &mut Pipes,
    log_limit: u64,
) -> io::Result<Outcome> {
    if let Some(other) = resident.take_if(|resident| !resident.suits(order)) {
        other.dismiss(tree)?;
    }
    let identity = match command::identity(order.user.as_deref()) {
        Ok(identity) => identity,
        Err(message) => return Ok(Hindrance::Order(message).into()),
    };
    let attempt = Attempt {
        order,
        tree,
        identity,
        log_limit,
    };
    match &order.batch {
        None => attempt.run(pipes),
        Some(variables) => attempt.serve(variables, resident, pipes),
    }
}
