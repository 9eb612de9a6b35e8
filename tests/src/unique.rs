//! Unique names.

use std::sync::atomic::{AtomicU32, Ordering};

/// A name that no other test uses at the time, in any process.
pub fn unique(what: &str) -> String {
    static GIVEN_PREFIX: AtomicU32 = AtomicU32::new(0);
    let number = GIVEN_PREFIX.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{number}", std::process::id())
}
