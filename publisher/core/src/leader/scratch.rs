//! The scratch folder of a leader, for sorting and for files being written.

use std::io;
use std::path::{Path, PathBuf};

use drover_shared::id::PipelineName;
use drover_shared::store::{Store, layout};
use tempfile::TempDir;

use super::LeadError;

/// A folder of the local machine for one job. Dropping it removes the folder.
pub(super) struct LeaderScratch(PathBuf);

impl LeaderScratch {
    /// The folder of the leader that holds the pipeline's lock. A leftover of an earlier leader is removed first.
    pub(super) fn of_lock_holder(
        store: &Store,
        pipeline: &PipelineName,
    ) -> Result<Self, LeadError> {
        // Other stores may have a pipeline of the name, so a bucket's folder belongs to the current process alone.
        let elsewhere = || std::env::temp_dir().join(format!("drover-{}", std::process::id()));
        let parent = store.local_path(&layout::tmp()).unwrap_or_else(elsewhere);
        let path = parent.join(format!("publication-{pipeline}"));
        match make_empty(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(LeadError::Scratch { path, source }),
        }
    }

    /// A folder of its own, for a leader beside which others may run.
    pub(super) fn unique(store: &Store, pipeline: &PipelineName) -> Result<Self, LeadError> {
        let elsewhere = || std::env::temp_dir().join("drover");
        let parent = store.local_path(&layout::tmp()).unwrap_or_else(elsewhere);
        let made = std::fs::create_dir_all(&parent)
            .and_then(|()| TempDir::with_prefix_in(format!("leader-{pipeline}-"), &parent));
        match made {
            Ok(folder) => Ok(Self(folder.keep())),
            Err(source) => Err(LeadError::Scratch {
                path: parent,
                source,
            }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for LeaderScratch {
    fn drop(&mut self) {
        // The pipeline's next job empties a folder that stays.
        let _ = std::fs::remove_dir_all(&self.0);
        // The parent in the system's temporary folder goes once it is empty; the store's own one stays.
        if let Some(parent) = self.0.parent() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

fn make_empty(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => std::fs::create_dir_all(folder),
    }
}
