//! A folder of this machine for one leader.

use std::io;
use std::path::{Path, PathBuf};

use drover_shared::id::PipelineName;
use drover_shared::store::{Store, layout};
use tempfile::TempDir;

/// Makes a folder for bringing the pipeline's output out, gone when dropped: in the store's own folder, so that nothing
/// need be copied, or in the system's temporary one.
pub(super) fn make(store: &Store, pipeline: &PipelineName) -> io::Result<TempDir> {
    let parent = parent(store);
    std::fs::create_dir_all(&parent)?;
    TempDir::with_prefix_in(format!("leader-{pipeline}-"), parent)
}

fn parent(store: &Store) -> PathBuf {
    let system = || Path::new(&std::env::temp_dir()).join("drover");
    store.local_path(&layout::tmp()).unwrap_or_else(system)
}
