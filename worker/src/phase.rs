//! What a worker is about, for whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What a worker is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Phase {
    /// It gets ready: it looks for store and broker, and starts its slots.
    Starting,
    /// It takes messages.
    Taking,
    /// It takes no more, and finishes what it runs.
    Draining,
}

/// The phase of one worker. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug, Default)]
pub struct WorkerPhase(Arc<AtomicU8>);

impl WorkerPhase {
    /// What the worker is about now.
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Taking,
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
    fn all_clones_tell_the_same() {
        let phase = WorkerPhase::default();
        let clone = phase.clone();
        assert_eq!(clone.phase(), Phase::Starting);
        for next in [Phase::Taking, Phase::Draining] {
            phase.enter(next);
            assert_eq!(clone.phase(), next);
        }
    }
}
