//! References to jobs on the command line: `last`, or the beginning or end of an id.

use crate::id::JobId;
use crate::ledger::Ledger;
use crate::store::StoreError;

/// How many candidates an error names.
const NAMED: usize = 5;
/// Shortest end of an id that counts as a reference. Ends distinguish jobs of a day, which begin alike.
const MIN_END: usize = 4;

/// Why a text names no job.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// The store has no jobs.
    #[error("there are no jobs in this store; `drover run SPEC` makes one (is --store right?)")]
    NoJobs,
    /// The text is empty, for example because a variable of a script is unset.
    #[error("the id of the job is empty; give an id, its beginning or end, or `last`")]
    Empty,
    /// No job id begins or ends with the text.
    #[error("no job begins or ends with {text:?}; the latest are {}", list(.latest))]
    Unknown {
        /// Text of the reference.
        text: String,
        /// Some jobs, latest first.
        latest: Vec<JobId>,
    },
    /// Several job ids begin with the text.
    #[error("{text:?} fits {count} jobs: {}{}; give more of the id", list(.candidates), if *.count > NAMED { " …" } else { "" })]
    Ambiguous {
        /// Text of the reference.
        text: String,
        /// How many jobs fit.
        count: usize,
        /// Some of the matching jobs, latest first.
        candidates: Vec<JobId>,
    },
    /// The jobs could not be listed.
    #[error("cannot list the jobs")]
    Store(#[from] StoreError),
}

fn list(jobs: &[JobId]) -> String {
    jobs.iter()
        .map(|job| job.short())
        .collect::<Vec<_>>()
        .join(", ")
}

impl Ledger {
    /// The job that `last` or the beginning of an id refers to.
    pub async fn resolve(&self, text: &str) -> Result<JobId, ReferenceError> {
        resolve(text, &self.jobs().await?)
    }
}

/// The job among `jobs` (oldest first) named by `text`.
fn resolve(text: &str, jobs: &[JobId]) -> Result<JobId, ReferenceError> {
    if text.trim().is_empty() {
        return Err(ReferenceError::Empty);
    }
    let Some(last) = jobs.last() else {
        return Err(ReferenceError::NoJobs);
    };
    if text == "last" {
        return Ok(*last);
    }
    let wanted = text.to_ascii_lowercase();
    let find = |fits: &dyn Fn(&str) -> bool| -> Vec<JobId> {
        let newest_first = jobs.iter().rev();
        newest_first
            .filter(|job| fits(&job.to_string()))
            .copied()
            .collect()
    };
    let mut fitting = find(&|id| id.starts_with(&wanted));
    if fitting.is_empty() && wanted.len() >= MIN_END {
        fitting = find(&|id| id.ends_with(&wanted));
    }
    match fitting[..] {
        [job] => Ok(job),
        [] => Err(ReferenceError::Unknown {
            text: text.to_owned(),
            latest: jobs.iter().rev().take(NAMED).copied().collect(),
        }),
        _ => Err(ReferenceError::Ambiguous {
            text: text.to_owned(),
            count: fitting.len(),
            candidates: fitting.into_iter().take(NAMED).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs() -> Vec<JobId> {
        [
            "01aaaaaaaaaaaaaaaaaaaaaaaa",
            "01abaaaaaaaaaaaaaaaaaaaaaa",
            "01acaaaaaaaaaaaaaaaaaaaaaa",
        ]
        .map(|id| id.parse().unwrap())
        .to_vec()
    }

    #[test]
    fn a_job_is_found_by_last_and_by_a_unique_beginning_or_end() {
        let mut jobs = jobs();
        jobs[1] = "01abaaaaaaaaaaaaaaaaaazzzz".parse().unwrap();
        for (text, found) in [
            ("last", 2),
            ("01aa", 0),
            ("01AB", 1),
            ("01acaaaaaaaaaaaaaaaaaaaaaa", 2),
            ("zzzz", 1),
            ("AZZZZ", 1),
        ] {
            assert_eq!(resolve(text, &jobs).unwrap(), jobs[found], "{text}");
        }
    }

    #[test]
    fn an_empty_text_names_no_job() {
        for text in ["", " "] {
            let refused = resolve(text, &jobs()[..1]).unwrap_err();
            assert!(matches!(refused, ReferenceError::Empty), "{refused}");
        }
        assert!(matches!(
            resolve("zzz", &jobs()),
            Err(ReferenceError::Unknown { .. })
        ));
    }

    #[test]
    fn a_text_that_names_no_single_job_is_answered_with_candidates() {
        let jobs =
            ["0", "1", "2"].map(|end| format!("01aaaaaaaaaaaaaaaaaaaaaaa{end}").parse().unwrap());
        insta::assert_snapshot!(resolve("01", &jobs).unwrap_err(), @r#""01" fits 3 jobs: aaaaaaa2, aaaaaaa1, aaaaaaa0; give more of the id"#);
        insta::assert_snapshot!(resolve("zz", &jobs).unwrap_err(), @r#"no job begins or ends with "zz"; the latest are aaaaaaa2, aaaaaaa1, aaaaaaa0"#);
        insta::assert_snapshot!(resolve("last", &[]).unwrap_err(), @"there are no jobs in this store; `drover run SPEC` makes one (is --store right?)");
    }
}
