//! Faults of a running `drover`.

use std::fs;
use std::time::{Duration, Instant};

use drover_tests::{Outcome, Random, Running, Signal, eventually};
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// A fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disturbance {
    /// SIGKILL, as a power cut.
    Kill,
    /// SIGTERM, as a shutdown.
    Terminate,
    /// SIGINT twice, as somebody in a hurry.
    InterruptTwice,
    /// SIGSTOP for a while, then SIGCONT, as a machine under load.
    Freeze,
    /// SIGSTOP, then SIGKILL.
    FreezeAndKill,
    /// SIGKILL to a helper process.
    KillHelper,
}

impl Disturbance {
    /// Any of them.
    pub(crate) fn any(random: &mut Random) -> Self {
        let all = [
            Self::Kill,
            Self::Kill,
            Self::Terminate,
            Self::InterruptTwice,
            Self::Freeze,
            Self::FreezeAndKill,
            Self::KillHelper,
        ];
        all[random.index(all.len())]
    }

    /// Disturbs `running` after `delay`, then waits for its end. The exit code is as it should be, or an error.
    pub(crate) fn befall(self, mut running: Running, delay: Duration) -> Result<Outcome, String> {
        pass(delay, &mut running);
        if matches!(self, Self::Terminate | Self::InterruptTwice) {
            // Before the handlers are installed, a signal ends the process as usual.
            eventually("it listens for signals", || {
                listens(&running) || running.has_ended()
            });
        }
        match self {
            Self::Kill => running.signal(Signal::SIGKILL),
            Self::Terminate => running.signal(Signal::SIGTERM),
            Self::InterruptTwice => {
                running.signal(Signal::SIGINT);
                running.signal(Signal::SIGINT);
            }
            Self::Freeze => {
                running.signal(Signal::SIGSTOP);
                pass(delay, &mut running);
                running.signal(Signal::SIGCONT);
            }
            Self::FreezeAndKill => {
                running.signal(Signal::SIGSTOP);
                running.signal(Signal::SIGKILL);
            }
            Self::KillHelper => kill_helper(&running),
        }
        let outcome = running.finish();
        match (self, outcome.status.code()) {
            (_, Some(0))
            | (Self::Kill | Self::FreezeAndKill, None)
            | (Self::Terminate | Self::InterruptTwice, Some(3)) => Ok(outcome),
            _ => Err(format!("after {self:?}: {}", outcome.transcript())),
        }
    }
}

/// Lets `time` pass, or less if it ends before.
fn pass(time: Duration, running: &mut Running) {
    let begun = Instant::now();
    eventually("a moment passed", || {
        begun.elapsed() >= time || running.has_ended()
    });
}

/// True if the process catches SIGTERM and SIGINT: bits of a mask in `/proc`, in hexadecimal, the first bit for
/// signal 1.
fn listens(running: &Running) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let catches = |mask: u64, signal: Signal| mask & (1 << (signal as u32 - 1)) != 0;
    caught.is_some_and(|mask| catches(mask, Signal::SIGTERM) && catches(mask, Signal::SIGINT))
}

fn kill_helper(running: &Running) {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", running.pid()))
        .unwrap_or_default();
    for child in children
        .split_whitespace()
        .take(1)
        .filter_map(|pid| pid.parse().ok())
    {
        let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
    }
}
