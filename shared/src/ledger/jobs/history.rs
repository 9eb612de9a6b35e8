//! The newest jobs, in a few requests however long the history is.
//!
//! The ids of jobs sort by the time of their creation. A bucket lists names from any name on, a page at a time, and never
//! backwards. So a search looks for a moment from which on all jobs fit on a page.

use std::collections::HashSet;

use futures::{Stream, TryStreamExt, stream};
use jiff::Timestamp;

use crate::id::{JobId, PipelineName};
use crate::ledger::Ledger;
use crate::store::{NamesPage, StoreError, StoreKey, layout};

/// Jobs that a search finds, if there are so many; less than a page.
const ENOUGH: usize = 64;
/// Length of the first look back, in milliseconds.
const FIRST_STEP: u64 = 4 * 60 * 60 * 1000;
/// Factor by which the looks back grow.
const STEP_GROWTH: u64 = 16;

impl Ledger {
    /// The jobs older than `before` (all by default), newest first, without the expired ones. With a pipeline, its jobs alone:
    /// as [`Ledger::jobs_of`], without those of an older Drover that nobody noted.
    pub fn newest_jobs<'a>(
        &'a self,
        of: Option<&PipelineName>,
        before: Option<JobId>,
    ) -> impl Stream<Item = Result<JobId, StoreError>> + Send + use<'a> {
        let (folder, hides_expired) = match of {
            Some(pipeline) => (layout::pipeline_jobs(pipeline), false),
            None => (layout::jobs(), true),
        };
        let chunks = stream::try_unfold((folder, before), move |(folder, before)| async move {
            let mut jobs = self.search(&folder, before).await?;
            let Some(oldest) = jobs.first().copied() else {
                return Ok(None);
            };
            if hides_expired {
                self.remove_expired(&mut jobs).await?;
            }
            let newest_first = stream::iter(jobs.into_iter().rev().map(Ok));
            Ok(Some((newest_first, (folder, Some(oldest)))))
        });
        chunks.try_flatten()
    }

    /// The next older jobs in a folder named by jobs, oldest first; none at the end of the history.
    async fn search(
        &self,
        folder: &StoreKey,
        before: Option<JobId>,
    ) -> Result<Vec<JobId>, StoreError> {
        let mut search = Search::new(before, Timestamp::now());
        while let Some(after) = search.next_name() {
            let page = self.store.names_after(folder, &after).await?;
            search.take(&page);
        }
        Ok(search.near)
    }

    /// Jobs with ids beginning with `beginning`, oldest first, without expired jobs.
    pub(super) async fn jobs_beginning(&self, beginning: &str) -> Result<Vec<JobId>, StoreError> {
        let mut jobs = Vec::new();
        let mut after = beginning.to_owned();
        loop {
            let page = self.store.names_after(&layout::jobs(), &after).await?;
            let is_last = !page
                .names
                .last()
                .is_some_and(|name| name.starts_with(beginning));
            jobs.extend(job_ids(&page.names).filter(|job| job.to_string().starts_with(beginning)));
            match following(&page) {
                Some(next) if !is_last => after = next,
                _ => break,
            }
        }
        self.remove_expired(&mut jobs).await?;
        Ok(jobs)
    }

    /// Jobs of a pipeline that are newer than `job`, oldest first; a bucket tells the next thousand.
    pub async fn jobs_after(
        &self,
        pipeline: &PipelineName,
        job: JobId,
    ) -> Result<Vec<JobId>, StoreError> {
        let folder = layout::pipeline_jobs(pipeline);
        let page = self.store.names_after(&folder, &job.to_string()).await?;
        Ok(job_ids(&page.names).filter(|other| *other > job).collect())
    }

    /// Removes the expired jobs from `jobs`, which are sorted.
    async fn remove_expired(&self, jobs: &mut Vec<JobId>) -> Result<(), StoreError> {
        let (Some(oldest), Some(newest)) = (jobs.first(), jobs.last()) else {
            return Ok(());
        };
        let (mut after, newest) = (oldest.to_string(), newest.to_string());
        let mut expired = HashSet::new();
        loop {
            let page = self
                .store
                .names_after(&layout::expired_jobs(), &after)
                .await?;
            let ids = page.names.iter().filter_map(|name| name.split('.').next());
            expired.extend(ids.filter_map(|id| id.parse::<JobId>().ok()));
            match following(&page) {
                Some(next) if next <= newest => after = next,
                _ => break,
            }
        }
        jobs.retain(|job| !expired.contains(job));
        Ok(())
    }
}

/// The jobs among the names of a page; other names are ignored.
fn job_ids(names: &[String]) -> impl Iterator<Item = JobId> {
    names
        .iter()
        .filter_map(|name| name.trim_end_matches('/').parse().ok())
}

/// The name after which the next page begins; none at the end.
fn following(page: &NamesPage) -> Option<String> {
    let last = page.names.last().filter(|_| page.has_more)?;
    Some(match last.strip_suffix('/') {
        // A bucket compares whole keys. This name is greater than all keys in the folder, and less than the next id.
        Some(folder) => format!("{folder}0"),
        None => last.clone(),
    })
}

/// A search for the newest jobs; pure. Times are milliseconds since 1970.
#[derive(Debug)]
struct Search {
    before: Option<JobId>,
    /// All jobs from `near_from` on, oldest first.
    near: Vec<JobId>,
    near_from: u64,
    /// Jobs before a gap that was not listed.
    far: Option<Far>,
    step: u64,
    look: Look,
}

/// Jobs of pages that did not reach the end.
#[derive(Debug)]
struct Far {
    from: u64,
    jobs: Vec<JobId>,
    /// Name after which the next page begins.
    following: String,
}

impl Far {
    fn until(&self) -> u64 {
        self.jobs.last().map_or(self.from, |job| millis(job.time()))
    }
}

/// Begin of the next page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look {
    /// At a time.
    From(u64),
    /// After the far jobs.
    On,
    /// No page is needed.
    Enough,
}

impl Search {
    fn new(before: Option<JobId>, now: Timestamp) -> Self {
        Self {
            before,
            near: Vec::new(),
            near_from: millis(before.map_or(now, JobId::time)).saturating_add(1),
            far: None,
            step: FIRST_STEP,
            look: Look::From(0),
        }
    }

    /// The name after which the next page begins; none if the search is over.
    fn next_name(&self) -> Option<String> {
        match self.look {
            Look::Enough => None,
            Look::From(0) => Some(String::new()),
            Look::From(time) => Some(JobId::first_at(time).to_string()),
            Look::On => self.far.as_ref().map(|far| far.following.clone()),
        }
    }

    /// Takes the page that was asked for, and decides about the next one.
    fn take(&mut self, page: &NamesPage) {
        let (from, mut jobs) = match (self.look, self.far.take_if(|_| self.look == Look::On)) {
            (_, Some(far)) => (far.from, far.jobs),
            (Look::From(time), None) => (time, Vec::new()),
            (Look::On | Look::Enough, None) => return,
        };
        jobs.extend(job_ids(&page.names));
        let listed = jobs.len();
        let (before, nearest) = (self.before, self.near.first().copied());
        let end = nearest.or(before);
        jobs.retain(|job| end.is_none_or(|end| *job < end));
        let has_reached = jobs.len() < listed;
        if let Some(following) = following(page).filter(|_| !has_reached) {
            self.far = Some(Far {
                from,
                jobs,
                following,
            });
        } else {
            self.near.splice(..0, jobs);
            self.near_from = from;
        }
        self.look = self.next_look();
    }

    fn next_look(&mut self) -> Look {
        if self.near.len() >= ENOUGH || self.near_from == 0 {
            return Look::Enough;
        }
        let Some(far) = &self.far else {
            return Look::From(0);
        };
        let half = self.near_from.saturating_sub(far.until()) / 2;
        let step = half.min(self.step);
        self.step = self.step.saturating_mul(STEP_GROWTH);
        if step == 0 {
            Look::On
        } else {
            Look::From(self.near_from - step)
        }
    }
}

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Names on a page.
    const PAGE: usize = 1000;
    const MINUTE: u64 = 60 * 1000;
    const NOW: u64 = 1_800_000_000_000;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(i64::try_from(NOW).unwrap()).unwrap()
    }

    /// A history with a job at each of the times, which are sorted.
    fn history(times: impl IntoIterator<Item = u64>) -> Vec<JobId> {
        let numbered = times.into_iter().zip(1_u64..);
        let id = |(time, number): (u64, u64)| {
            let mut bytes = JobId::first_at(time).to_bytes();
            bytes[8..].copy_from_slice(&number.to_be_bytes());
            JobId::from_bytes(bytes)
        };
        numbered.map(id).collect()
    }

    /// The jobs that a search finds in `jobs`, and the number of pages.
    fn found(jobs: &[JobId], before: Option<JobId>, page: usize) -> (Vec<JobId>, usize) {
        let names: Vec<String> = jobs.iter().map(|job| format!("{job}/")).collect();
        let mut search = Search::new(before, now());
        let mut pages = 0;
        while let Some(after) = search.next_name() {
            let from = names.partition_point(|name| *name <= after);
            let until = names.len().min(from + page);
            search.take(&NamesPage {
                names: names[from..until].to_vec(),
                has_more: until < names.len(),
            });
            pages += 1;
        }
        (search.near, pages)
    }

    fn minutely(jobs: u64) -> Vec<JobId> {
        history((0..jobs).rev().map(|age| NOW - age * MINUTE))
    }

    #[test]
    fn the_number_of_pages_does_not_grow_with_the_history() {
        for jobs in [5_000, 20_000, 500_000] {
            let jobs = minutely(jobs);
            let (newest, pages) = found(&jobs, None, PAGE);
            assert!(newest.len() >= ENOUGH && jobs.ends_with(&newest));
            assert!(pages <= 2, "{pages} pages of {} jobs", jobs.len());
        }
    }

    #[test]
    fn a_burst_of_jobs_long_ago_is_found_in_a_few_pages() {
        let burst = history((0..50_000).map(|job| NOW - 20_000 * MINUTE + job));
        let (newest, pages) = found(&burst, None, PAGE);
        assert!(newest.len() >= ENOUGH && burst.ends_with(&newest));
        assert!(pages <= 30, "{pages}");
        let one_moment = history(std::iter::repeat_n(NOW, 5_000));
        let (newest, pages) = found(&one_moment, None, PAGE);
        assert_eq!((newest, pages), (one_moment, 5));
    }

    proptest! {
        #[test]
        fn the_chunks_of_a_search_are_the_whole_history(
            gaps in prop::collection::vec(prop_oneof![0..3_u64, 0..MINUTE, 0..10_000 * MINUTE], 0..400),
            ahead in 0..MINUTE,
            page in 1..90_usize,
        ) {
            let mut time = NOW + ahead;
            let mut times: Vec<u64> = gaps.into_iter().map(|gap| { time -= gap; time }).collect();
            times.reverse();
            let jobs = history(times);
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let (mut chunk, _) = found(&jobs, before, page);
                let Some(oldest) = chunk.first() else { break };
                before = Some(*oldest);
                chunk.append(&mut seen);
                seen = chunk;
            }
            prop_assert_eq!(seen, jobs);
        }
    }

    #[tokio::test]
    async fn expired_jobs_are_left_out() {
        let ledger = Ledger::new(crate::store::Store::in_memory());
        let pipeline: PipelineName = "minutely".parse().unwrap();
        let jobs = minutely(300);
        for (number, job) in jobs.iter().enumerate() {
            let record = layout::record(*job);
            ledger.store.put(&record, "{}".into()).await.unwrap();
            if number < 290 && number % 2 == 0 {
                ledger.expire(&pipeline, *job).await.unwrap();
            }
        }
        let newest: Vec<JobId> = ledger.newest_jobs(None, None).try_collect().await.unwrap();
        let mut all = ledger.jobs().await.unwrap();
        all.reverse();
        assert_eq!((newest.len(), &newest), (155, &all));
    }
}
