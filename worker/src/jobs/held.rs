//! The tasks held by the current worker: delivered, and not settled yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drover_shared::datum::IndexRanges;
use drover_shared::id::JobId;
use drover_shared::wire::Task;

/// The tasks held, for inquiries of the leader.
#[derive(Debug, Default)]
pub(crate) struct HeldTasks {
    tasks: Mutex<TasksByJob>,
}

#[derive(Debug, Default)]
struct TasksByJob {
    given: u64,
    jobs: HashMap<JobId, HashMap<u64, IndexRanges>>,
}

/// A task in hand, until the guard is dropped.
#[derive(Debug)]
pub(crate) struct HeldTask<'a> {
    held: &'a HeldTasks,
    job: JobId,
    number: u64,
}

impl HeldTasks {
    /// Notes a task as held.
    pub(crate) fn hold(&self, task: &Task) -> HeldTask<'_> {
        let mut tasks = self.lock();
        let number = tasks.given;
        tasks.given += 1;
        let of_job = tasks.jobs.entry(task.job).or_default();
        of_job.insert(number, task.datums.indexes());
        HeldTask {
            held: self,
            job: task.job,
            number,
        }
    }

    /// The datums of a job in the tasks held.
    pub(crate) fn datums(&self, job: JobId) -> IndexRanges {
        let mut datums = IndexRanges::default();
        for task in self.lock().jobs.get(&job).into_iter().flatten() {
            datums.extend(task.1);
        }
        datums
    }

    fn lock(&self) -> MutexGuard<'_, TasksByJob> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldTask<'_> {
    /// Notes other datums for the task.
    pub(crate) fn replace(&self, datums: IndexRanges) {
        let mut tasks = self.held.lock();
        let of_job = tasks.jobs.entry(self.job).or_default();
        of_job.insert(self.number, datums);
    }
}

impl HeldTask<'_> {
    /// Notes datums as no longer held: a new message has the datums.
    pub(crate) fn release(&self, datums: &IndexRanges) {
        let mut tasks = self.held.lock();
        let of_job = tasks.jobs.get_mut(&self.job);
        if let Some(held) = of_job.and_then(|of_job| of_job.get_mut(&self.number)) {
            *held = held.difference(datums);
        }
    }
}

impl Drop for HeldTask<'_> {
    fn drop(&mut self) {
        let mut tasks = self.held.lock();
        if let Some(of_job) = tasks.jobs.get_mut(&self.job) {
            of_job.remove(&self.number);
            if of_job.is_empty() {
                tasks.jobs.remove(&self.job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::wire::{ManifestRange, TaskDatums};

    use super::*;

    fn task(job: JobId, first: u64, count: u64) -> Task {
        Task {
            job,
            datums: TaskDatums::Manifest(ManifestRange {
                segment: 0,
                first,
                count,
            }),
            unit: None,
            total: None,
            again: false,
            copy: false,
            term: None,
            store: None,
            trace: None,
        }
    }

    #[test]
    fn a_task_is_held_until_its_guard_is_dropped_and_a_second_delivery_on_its_own() {
        let held = HeldTasks::default();
        let job = JobId::generate();
        let first = held.hold(&task(job, 3, 2));
        let second = held.hold(&task(job, 4, 2));
        let _other = held.hold(&task(JobId::generate(), 9, 1));
        assert_eq!(held.datums(job), [3, 4, 5].into_iter().collect());
        drop(first);
        assert_eq!(held.datums(job), [4, 5].into_iter().collect());
        second.release(&[5].into_iter().collect());
        assert_eq!(held.datums(job), [4].into_iter().collect());
        drop(second);
        assert!(held.datums(job).is_empty());
        assert_eq!(held.lock().jobs.len(), 1, "the job is forgotten");
    }
}
