//! The running attempts, as reported to the leader. A new leader gets the reports again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_shared::id::JobId;
use drover_shared::wire::Report;

/// The reports of running attempts.
#[derive(Debug, Default)]
pub(crate) struct ReportedAttempts {
    reports: Mutex<HashMap<(JobId, u64), Report>>,
}

/// A running attempt, until the guard is dropped.
#[derive(Debug)]
pub(crate) struct ReportedAttempt<'a> {
    reported: &'a ReportedAttempts,
    datum: (JobId, u64),
}

impl ReportedAttempts {
    /// Notes the report on an attempt of the datum at `index`.
    pub(crate) fn note(&self, index: u64, report: Report) -> ReportedAttempt<'_> {
        let datum = (report.job, index);
        self.lock().insert(datum, report);
        ReportedAttempt {
            reported: self,
            datum,
        }
    }

    /// The reports on running attempts of a job.
    pub(crate) fn of(&self, job: JobId) -> Vec<Report> {
        let reports = self.lock();
        let of_job = reports.iter().filter(|((of, _), _)| *of == job);
        of_job.map(|(_, report)| report.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(JobId, u64), Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReportedAttempt<'_> {
    fn drop(&mut self) {
        self.reported.lock().remove(&self.datum);
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::wire::Event;

    use super::*;

    #[test]
    fn an_attempt_is_told_of_while_it_runs() {
        let reported = ReportedAttempts::default();
        let (job, other) = (JobId::generate(), JobId::generate());
        let report = |job| Report {
            job,
            redeliveries: 0,
            event: Event::Retrying {
                index: 7,
                attempt: 1,
                worker: "a-1".parse().unwrap(),
            },
        };
        let running = reported.note(7, report(job));
        let _other = reported.note(7, report(other));
        assert_eq!(reported.of(job), [report(job)]);
        drop(running);
        assert!(reported.of(job).is_empty());
        assert_eq!(reported.of(other).len(), 1);
    }
}
