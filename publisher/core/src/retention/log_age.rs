//! The logs that are too old.

use std::time::Duration;

use drover_shared::pipeline::RetentionLimits;
use jiff::{SignedDuration, Timestamp};

/// Logs of a finished job that are too old.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OldLogs {
    None,
    /// Logs of successful datums.
    OfSuccesses,
    /// Logs of datums without success.
    OfFailures,
    All,
}

impl OldLogs {
    /// Pure: decides by the time since the end of the job.
    pub(super) fn of(finished: Timestamp, now: Timestamp, limits: &RetentionLimits) -> Self {
        let age = now.duration_since(finished);
        let is_over =
            |limit: Duration| SignedDuration::try_from(limit).is_ok_and(|limit| age >= limit);
        match (is_over(limits.logs), is_over(limits.failed_logs)) {
            (false, false) => Self::None,
            (true, false) => Self::OfSuccesses,
            (false, true) => Self::OfFailures,
            (true, true) => Self::All,
        }
    }

    /// Pure: true if a log is to be removed.
    pub(super) fn contains(self, is_success: bool) -> bool {
        match self {
            Self::None => false,
            Self::OfSuccesses => is_success,
            Self::OfFailures => !is_success,
            Self::All => true,
        }
    }

    /// The note in the store after the removal.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::OfSuccesses => "success",
            Self::OfFailures => "failed",
            Self::All => "all",
        }
    }

    /// Pure: true if the logs were removed before, according to the note.
    pub(super) fn is_done(self, note: &str) -> bool {
        self == Self::None || note == self.name() || note == Self::All.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_go_by_the_time_since_the_end_of_their_job() {
        let finished = Timestamp::UNIX_EPOCH;
        let day = |days: u64| Duration::from_hours(24 * days);
        #[rustfmt::skip]
        let rows = [
            ("new",             0,   30, 90, OldLogs::None),
            ("just before",     29,  30, 90, OldLogs::None),
            ("just then",       30,  30, 90, OldLogs::OfSuccesses),
            ("later",           89,  30, 90, OldLogs::OfSuccesses),
            ("at the end",      90,  30, 90, OldLogs::All),
            ("failures first",  5,   30, 1,  OldLogs::OfFailures),
            ("zero",            0,   0,  90, OldLogs::OfSuccesses),
            ("all zero",        0,   0,  0,  OldLogs::All),
            ("centuries",       900, 99_999, 99_999, OldLogs::None),
        ];
        for (name, age, logs, failed, expected) in rows {
            let limits = RetentionLimits {
                jobs: 1,
                logs: day(logs),
                failed_logs: day(failed),
            };
            assert_eq!(
                OldLogs::of(finished, finished + day(age), &limits),
                expected,
                "{name}"
            );
        }
        let unlimited = RetentionLimits {
            jobs: 1,
            logs: Duration::MAX,
            failed_logs: Duration::MAX,
        };
        assert_eq!(
            OldLogs::of(Timestamp::MIN, Timestamp::MAX, &unlimited),
            OldLogs::None
        );
    }

    #[test]
    fn a_note_saves_a_second_look_until_more_logs_are_old() {
        assert!(OldLogs::OfSuccesses.is_done("success"));
        assert!(OldLogs::OfSuccesses.is_done("all"));
        assert!(!OldLogs::All.is_done("success"));
        assert!(!OldLogs::OfSuccesses.is_done(""));
        assert!(OldLogs::None.is_done(""));
    }
}
