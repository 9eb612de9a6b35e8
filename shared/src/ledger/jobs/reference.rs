//! References to jobs on the command line: `last`, or the beginning or end of an id.

use futures::{StreamExt, TryStreamExt};

use crate::id::JobId;
use crate::ledger::Ledger;
use crate::store::StoreError;

/// How many candidates an error names.
const NAMED: usize = 5;
/// Shortest end of an id that counts as a reference. Ends distinguish jobs of a day, which begin alike.
const MIN_END: usize = 4;
/// Length of an end that distinguishes all jobs of a store in practice: that of [`JobId::short`].
const UNIQUE_END: usize = 8;

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
    /// The job that `last`, or the beginning or end of an id refers to. An end that people see ([`JobId::short`]) refers to the
    /// newest job that has it.
    pub async fn resolve(&self, text: &str) -> Result<JobId, ReferenceError> {
        if text.trim().is_empty() {
            return Err(ReferenceError::Empty);
        }
        let latest = self.latest(NAMED).await?;
        if text == "last" {
            return latest.first().copied().ok_or(ReferenceError::NoJobs);
        }
        let fitting = self.fitting(&text.to_ascii_lowercase()).await?;
        match fitting[..] {
            [job] => Ok(job),
            [] if latest.is_empty() => Err(ReferenceError::NoJobs),
            [] => Err(ReferenceError::Unknown {
                text: text.to_owned(),
                latest,
            }),
            _ => Err(ReferenceError::Ambiguous {
                text: text.to_owned(),
                count: fitting.len(),
                candidates: fitting.into_iter().rev().take(NAMED).collect(),
            }),
        }
    }

    /// Jobs that `wanted` may mean, oldest first.
    async fn fitting(&self, wanted: &str) -> Result<Vec<JobId>, StoreError> {
        let beginning = self.jobs_beginning(wanted).await?;
        if !beginning.is_empty() || wanted.len() < MIN_END {
            return Ok(beginning);
        }
        let fits = |job: &JobId| std::future::ready(job.to_string().ends_with(wanted));
        let newest_first = self.newest_jobs(None, None).try_filter(fits);
        let most = if wanted.len() < UNIQUE_END {
            usize::MAX
        } else {
            1
        };
        let mut ending: Vec<JobId> = newest_first.take(most).try_collect().await?;
        ending.reverse();
        Ok(ending)
    }

    async fn latest(&self, most: usize) -> Result<Vec<JobId>, StoreError> {
        self.newest_jobs(None, None).take(most).try_collect().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, layout};

    const JOBS: [&str; 3] = [
        "01aaaaaaaaaaaaaaaaaaaaaaaa",
        "01abaaaaaaaaaaaaaaaaaazzzz",
        "01acaaaaaaaaaaaaaaaaaaaaaa",
    ];

    async fn ledger(jobs: &[&str]) -> Ledger {
        let ledger = Ledger::new(Store::in_memory());
        for job in jobs {
            let record = layout::record(job.parse().unwrap());
            ledger.store.put(&record, "{}".into()).await.unwrap();
        }
        ledger
    }

    #[tokio::test]
    async fn a_job_is_found_by_last_and_by_a_unique_beginning_or_end() {
        let ledger = ledger(&JOBS).await;
        for (text, found) in [
            ("last", 2),
            ("01aa", 0),
            ("01AB", 1),
            ("01acaaaaaaaaaaaaaaaaaaaaaa", 2),
            ("zzzz", 1),
            ("AZZZZ", 1),
            ("aaaazzzz", 1),
        ] {
            let job = ledger.resolve(text).await.unwrap();
            assert_eq!(job.to_string(), JOBS[found], "{text}");
        }
    }

    #[tokio::test]
    async fn an_empty_text_names_no_job() {
        let ledger = ledger(&JOBS[..1]).await;
        for text in ["", " "] {
            let refused = ledger.resolve(text).await.unwrap_err();
            assert!(matches!(refused, ReferenceError::Empty), "{refused}");
        }
        assert!(matches!(
            ledger.resolve("zzz").await,
            Err(ReferenceError::Unknown { .. })
        ));
    }

    #[tokio::test]
    async fn a_text_that_names_no_single_job_is_answered_with_candidates() {
        let jobs = ["0", "1", "2"].map(|end| format!("01aaaaaaaaaaaaaaaaaaaaaaa{end}"));
        let ledger_of_three = ledger(&jobs.each_ref().map(String::as_str)).await;
        let none = ledger(&[]).await;
        insta::assert_snapshot!(ledger_of_three.resolve("01").await.unwrap_err(), @r#""01" fits 3 jobs: aaaaaaa2, aaaaaaa1, aaaaaaa0; give more of the id"#);
        insta::assert_snapshot!(ledger_of_three.resolve("zz").await.unwrap_err(), @r#"no job begins or ends with "zz"; the latest are aaaaaaa2, aaaaaaa1, aaaaaaa0"#);
        for text in ["last", "01"] {
            let refused = none.resolve(text).await.unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(refused, @"there are no jobs in this store; `drover run SPEC` makes one (is --store right?)");
            }
        }
    }
}
