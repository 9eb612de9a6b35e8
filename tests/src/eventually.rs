//! Waiting for a condition, never for a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before a test calls it hung; far above what it takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// Waits until `condition` holds. `what` completes the sentence "waited in vain until …".
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sets the flag when dropped, also by a panic, so that threads of a scope that wait for the flag end, too.
pub struct ScopeEnd<'a>(pub &'a AtomicBool);

impl Drop for ScopeEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
