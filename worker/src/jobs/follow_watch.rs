//! Tells by the changes of a mark in the store if somebody follows the logs of a job.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// A mark that has not changed for so long was left by a follower that is gone. Followers renew theirs every ten seconds.
const FOLLOWED_FOR: Duration = Duration::from_secs(45);

/// The newest mark that the worker has seen, and when the worker saw the mark first.
#[derive(Debug, Default)]
pub(crate) struct FollowWatch(Mutex<Option<(Bytes, Instant)>>);

impl FollowWatch {
    /// True if a process that reads `mark` now may assume a follower.
    pub(crate) fn is_followed(&self, mark: Option<Bytes>, now: Instant) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mark) = mark else {
            return false;
        };
        match &*seen {
            Some((known, since)) if *known == mark => now.duration_since(*since) < FOLLOWED_FOR,
            _ => {
                *seen = Some((mark, now));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_followed_while_the_mark_changes() {
        let watch = FollowWatch::default();
        let begin = Instant::now();
        let rows = [
            (None, 0, false),
            (Some("a"), 1, true),
            (Some("a"), 40, true),
            (Some("b"), 44, true),
            (Some("b"), 88, true),
            (Some("b"), 90, false),
            (Some("b"), 900, false),
            (Some("c"), 901, true),
            (None, 902, false),
        ];
        for (mark, seconds, expected) in rows {
            let now = begin + Duration::from_secs(seconds);
            let mark = mark.map(Bytes::from);
            assert_eq!(watch.is_followed(mark, now), expected, "after {seconds} s");
        }
    }
}
