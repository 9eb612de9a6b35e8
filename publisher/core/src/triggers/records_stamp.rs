//! A cheap look at a pipeline's records in a folder: hundreds of idle pipelines must not read them twice a second.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::store::layout;

/// The records are read at least this often: a job's record appears later than its mark.
const READ_EVERY: Duration = Duration::from_secs(15);

/// A directory that changed later than this before the look may change once more without a new time.
const GRAIN: Duration = Duration::from_secs(2);

/// The modification times of the directories that hold the revisions and the open jobs of a pipeline. Both only gain and
/// lose files.
#[derive(Debug, Default)]
pub(super) struct RecordsStamp {
    /// The directories; none before the first look, and no paths in a bucket.
    places: Option<[Option<PathBuf>; 2]>,
    seen: Option<[Option<SystemTime>; 2]>,
    read: Option<Instant>,
}

impl RecordsStamp {
    /// True if the records may have changed since the last call that returned true.
    pub(super) fn have_changed(&mut self, ledger: &Ledger, pipeline: &PipelineName) -> bool {
        let places = self.places.get_or_insert_with(|| places(ledger, pipeline));
        let now = modified(places);
        let is_fresh = self.read.is_some_and(|read| read.elapsed() < READ_EVERY);
        let is_known = now.is_some() && now == self.seen && now.is_some_and(is_settled);
        if is_fresh && is_known {
            return false;
        }
        self.seen = now;
        self.read = Some(Instant::now());
        true
    }
}

fn places(ledger: &Ledger, pipeline: &PipelineName) -> [Option<PathBuf>; 2] {
    let keys = [layout::revisions(pipeline), layout::unfolded_jobs(pipeline)];
    keys.map(|key| ledger.store().local_path(&key))
}

/// The times; none for a bucket.
fn modified(places: &[Option<PathBuf>; 2]) -> Option<[Option<SystemTime>; 2]> {
    let [Some(revisions), Some(jobs)] = places else {
        return None;
    };
    let modified = |place: &PathBuf| std::fs::metadata(place).ok()?.modified().ok();
    Some([modified(revisions), modified(jobs)])
}

fn is_settled(times: [Option<SystemTime>; 2]) -> bool {
    let is_old = |time: SystemTime| time.elapsed().is_ok_and(|age| age > GRAIN);
    times.into_iter().flatten().all(is_old)
}

#[cfg(test)]
mod tests {
    use drover_shared::ledger::PipelineChange;
    use drover_shared::store::{Location, Store};

    use super::*;

    #[tokio::test]
    async fn records_that_changed_a_moment_ago_or_in_a_bucket_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let folder = Ledger::new(Store::open(&location).await.unwrap());
        let pipeline: PipelineName = "p".parse().unwrap();
        for (ledger, expected) in [(&folder, false), (&Ledger::new(Store::in_memory()), true)] {
            let mut stamp = RecordsStamp::default();
            assert!(stamp.have_changed(ledger, &pipeline));
            assert_eq!(stamp.have_changed(ledger, &pipeline), expected);
            let spec = serde_json::json!({});
            let change = PipelineChange::Create(spec);
            ledger.change_pipeline(&pipeline, &change).await.unwrap();
            for _ in 0..2 {
                assert!(stamp.have_changed(ledger, &pipeline));
            }
        }
    }
}
