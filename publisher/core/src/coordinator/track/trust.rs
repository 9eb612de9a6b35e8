//! How far a message on the reports queue is believed.
//!
//! A message with the authentication code of the job's key comes from a worker of the job, and its reports count as they
//! are. Any other message is a hint: the coordinator reads the verdicts that the message names from the ledger, and ignores
//! the rest. So a process that merely reaches the broker can neither end nor change anything.

use drover_shared::id::JobId;
use drover_shared::job::JobKey;
use drover_shared::wire::{Authenticity, Message, Report, authenticity, decode};

/// Messages on the reports queue that were refused, by `reason`.
pub(crate) const REFUSED: &str = "drover_reports_refused_total";

/// The reports of a message about one job, by trustworthiness.
#[derive(Debug, PartialEq)]
pub(crate) enum Reports {
    /// From a worker of the job.
    Authentic(Vec<Report>),
    /// From an older worker or a stranger.
    Hints {
        reports: Vec<Report>,
        /// True if the message has a wrong authentication code.
        forged: bool,
    },
}

/// Why a message on the reports queue is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// No message of this queue.
    Malformed,
    /// The authentication code is not one by the job's key.
    Forged,
    /// Without a code, about a datum that has no verdict.
    Unfounded,
    /// Authentic, with a number that no worker reports.
    Implausible,
}

impl Refusal {
    /// The reason shown with the dead letter.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "no report",
            Self::Forged => {
                "the authentication code of the report is wrong: the sender does not have the key of the job"
            }
            Self::Unfounded => {
                "the report has no authentication code, and the datum has no verdict in the store"
            }
            Self::Implausible => "the report has a number out of range",
        }
    }

    /// The label of the count.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Unfounded => "unfounded",
            Self::Implausible => "implausible",
        }
    }
}

/// The reports in `body` about the job with the key; reports about other jobs are left out.
pub(crate) fn reports(body: &[u8], job: JobId, key: &JobKey) -> Result<Reports, Refusal> {
    let Ok(Message::Reports(mut reports)) = decode(body) else {
        return Err(Refusal::Malformed);
    };
    reports.retain(|report| report.job == job);
    if reports.is_empty() {
        // The code, if any, is by the key of another job.
        return Ok(Reports::Authentic(reports));
    }
    match authenticity(body, Some(key)) {
        Authenticity::Authentic if reports.iter().all(Report::is_plausible) => {
            Ok(Reports::Authentic(reports))
        }
        Authenticity::Authentic => Err(Refusal::Implausible),
        found => Ok(Reports::Hints {
            reports,
            forged: found == Authenticity::Forged,
        }),
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::VerdictState;
    use drover_shared::wire::{Event, encode_for};

    use super::*;
    use crate::testing::samples::verdict;

    fn ended(job: JobId, process_time_s: f64) -> Report {
        let mut verdict = Box::new(verdict(3, VerdictState::Success, &[]));
        verdict.stats.process_time_s = process_time_s;
        Report {
            job,
            redeliveries: 0,
            event: Event::Ended {
                verdict,
                first: true,
            },
        }
    }

    #[test]
    fn only_plausible_reports_with_the_code_of_the_job_s_key_count_as_they_are() {
        let (key, other) = (JobKey::generate().unwrap(), JobKey::generate().unwrap());
        let job = JobId::generate();
        let read = |report: &Report, signed_with: Option<&JobKey>| {
            let message = Message::Reports(vec![report.clone()]);
            reports(&encode_for(&message, signed_with).unwrap(), job, &key)
        };
        let report = ended(job, 1.0);
        let hints = |forged| {
            let reports = vec![report.clone()];
            Ok(Reports::Hints { reports, forged })
        };
        let authentic = Ok(Reports::Authentic(vec![report.clone()]));
        assert_eq!(read(&report, Some(&key)), authentic);
        assert_eq!(read(&report, None), hints(false));
        assert_eq!(read(&report, Some(&other)), hints(true));
        for implausible in [-1.0, 1e300] {
            let read = read(&ended(job, implausible), Some(&key));
            assert_eq!(read, Err(Refusal::Implausible), "{implausible}");
        }
        let elsewhere = read(&ended(JobId::generate(), 1.0), Some(&other));
        assert_eq!(elsewhere, Ok(Reports::Authentic(vec![])));
        let no_report = reports(b"{}", job, &key);
        assert_eq!(no_report, Err(Refusal::Malformed));
    }
}
