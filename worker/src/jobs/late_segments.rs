//! Segments of manifests not found in the store yet.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use drover_shared::id::JobId;

/// Segments remembered. A worker meets few of them; the memory must not grow with garbage.
const REMEMBERED: usize = 256;

/// Since when each missing segment is missing. A network file system may show a segment late.
#[derive(Debug, Default)]
pub(crate) struct LateSegments(Mutex<HashMap<(JobId, u64), Instant>>);

impl LateSegments {
    /// Notes that a segment is missing; true if it has been missing for longer than `wait`, or if too many are.
    pub(crate) fn is_lost(&self, job: JobId, segment: u64, wait: Duration) -> bool {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.len() >= REMEMBERED {
            since.clear();
        }
        let now = Instant::now();
        let since = *since.entry((job, segment)).or_insert(now);
        now.duration_since(since) > wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_lost_once_it_was_missing_for_long() {
        let late = LateSegments::default();
        let job = JobId::generate();
        assert!(
            !late.is_lost(job, 8, Duration::ZERO),
            "it is missing for the first time"
        );
        std::thread::sleep(Duration::from_millis(2));
        assert!(late.is_lost(job, 8, Duration::ZERO));
        assert!(!late.is_lost(job, 8, Duration::from_secs(60)));
        assert!(!late.is_lost(job, 9, Duration::ZERO), "another segment");
    }
}
