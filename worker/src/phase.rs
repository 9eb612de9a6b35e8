//! The phase of a worker, for its health probe.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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
pub struct WorkerPhase(Arc<AtomicU8>);

impl WorkerPhase {
    /// The current phase.
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Consuming,
            _ => Phase::Draining,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
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
    }
}
