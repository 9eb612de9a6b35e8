//! Sizes of staged files in a bucket, by a listing for each job: one request for a thousand files.

use std::collections::{BTreeMap, HashMap};
use std::io;

use drover_shared::id::JobId;
use drover_shared::store::{Store, StoreError, layout};

use super::worth::{PAGE, is_worth_a_listing};
use crate::output::OutputError;
use crate::output::piece::StagedFile;
use crate::output::plan::PlanStep;

/// Sizes of the staged files of jobs with many files in a plan.
#[derive(Debug, Default)]
pub(in crate::output) struct StagedSizes {
    /// By a hash of the key, to keep the table small.
    sizes: HashMap<u64, u64>,
}

impl StagedSizes {
    /// Lists the staged files of jobs with many files in the `steps` of a plan. Blocking.
    pub(in crate::output) fn list(
        store: &Store,
        steps: impl Iterator<Item = io::Result<PlanStep>>,
    ) -> Result<Self, OutputError> {
        let mut counts: BTreeMap<JobId, u64> = BTreeMap::new();
        for step in steps {
            if let PlanStep::Write(file) = step? {
                for source in &file.sources {
                    *counts.entry(source.job).or_default() += 1;
                }
            }
        }
        let mut sizes = HashMap::new();
        for (job, count) in counts
            .into_iter()
            .filter(|(_, count)| is_worth_a_listing(*count, *count))
        {
            let folder = layout::staged(job);
            let listed = match store.walk(&folder) {
                Err(StoreError::Missing { .. }) => continue,
                listed => listed?,
            };
            // A listing of more pages than files of the plan would cost more than the looks it saves.
            let most = usize::try_from(count.saturating_mul(PAGE)).unwrap_or(usize::MAX);
            for entry in listed.take(most) {
                let entry = entry?;
                sizes.insert(hash(job, entry.path.trim_start_matches('/')), entry.size);
            }
        }
        Ok(Self { sizes })
    }

    /// True if the listing shows the file with the size at commit. An unlisted file needs a single look.
    pub(in crate::output) fn show(&self, file: &StagedFile) -> bool {
        let name = format!("{}.{}", file.staged, file.n);
        self.sizes.get(&hash(file.job, &name)) == Some(&file.size)
    }
}

fn hash(job: JobId, name: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&job.to_bytes());
    hasher.update(name.as_bytes());
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}
