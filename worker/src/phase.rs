//! The phase of a worker, for its health probe.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Serialize;

use crate::runner::{Protection, Sandbox};

/// The phase of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Phase {
    /// The worker connects to store and broker and starts its slots.
    Starting,
    /// The worker consumes messages.
    Consuming,
    /// The worker takes no more messages and finishes its running datums.
    Draining,
}

/// The phase of one worker. Cheap to clone; all clones share the phase.
#[derive(Clone, Debug, Default)]
pub struct WorkerPhase(Arc<PhaseState>);

#[derive(Debug, Default)]
struct PhaseState {
    phase: AtomicU8,
    problem: Mutex<Option<String>>,
    protection: OnceLock<WorkerProtection>,
}

/// The protection of a worker against its commands.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerProtection {
    /// The sandbox of the commands.
    pub sandbox: Sandbox,
    /// The protection within the sandbox.
    pub protection: Protection,
}

impl fmt::Display for WorkerProtection {
    /// In a line: `sandbox: namespaces; other processes: …`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.sandbox.name();
        write!(out, "sandbox: {name}; {}", self.protection)
    }
}

impl WorkerPhase {
    /// The current phase.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Consuming,
            _ => Phase::Draining,
        }
    }

    /// The reason why a consuming worker cannot process messages.
    pub fn problem(&self) -> Option<String> {
        self.0
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The protection of the worker, once the slots are started.
    pub fn protection(&self) -> Option<&WorkerProtection> {
        self.0.protection.get()
    }

    /// Sets the protection; that of the first start of a worker stays.
    pub(crate) fn set_protection(&self, protection: WorkerProtection) -> &WorkerProtection {
        self.0.protection.get_or_init(|| protection)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Sets or clears the problem; true if there was none of the kind before.
    pub(crate) fn set_problem(&self, problem: Option<String>) -> bool {
        let mut known = self
            .0
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_new = *known != problem;
        *known = problem;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clones_share_the_phase() {
        let phase = WorkerPhase::default();
        let clone = phase.clone();
        assert_eq!(clone.phase(), Phase::Starting);
        for next in [Phase::Consuming, Phase::Draining] {
            phase.enter(next);
            assert_eq!(clone.phase(), next);
        }
        assert!(phase.set_problem(Some("no".to_owned())));
        assert!(!phase.set_problem(Some("no".to_owned())));
        assert_eq!(clone.problem().as_deref(), Some("no"));
    }
}
