//! Makes sure, before the output folder is touched, that every staged file of a plan is whole.

use std::collections::BTreeSet;
use std::pin::pin;

use drover_shared::store::{Entry, Store, StoreError};
use futures::{StreamExt, TryStreamExt, stream};

use super::OutputError;
use super::piece::StagedFile;
use super::plan::{FileToWrite, Plan, PlanStep};

/// Files looked at concurrently: enough to hide the latency of a bucket.
const AT_ONCE: usize = 64;

/// Looks at every staged file that `plan` reads. Returns the indexes of datums with missing or altered files.
pub(super) async fn find_lost(store: &Store, plan: &Plan) -> Result<BTreeSet<u64>, OutputError> {
    let files = plan.steps()?.filter_map(|step| match step {
        Ok(PlanStep::Write(file)) => Some(Ok(file)),
        Ok(PlanStep::Keep(_) | PlanStep::Delete(_)) => None,
        Err(error) => Some(Err(OutputError::from(error))),
    });
    let looks = stream::iter(files).map(|file| async { lost_datums(store, &file?).await });
    let mut looks = pin!(looks.buffer_unordered(AT_ONCE));
    let mut lost = BTreeSet::new();
    while let Some(datums) = looks.try_next().await? {
        lost.extend(datums);
    }
    Ok(lost)
}

async fn lost_datums(store: &Store, file: &FileToWrite) -> Result<Vec<u64>, OutputError> {
    let mut lost = Vec::new();
    for (n, source) in file.sources.iter().enumerate() {
        let whole = match store.entry(&source.key()).await {
            Ok(entry) => is_whole(
                source,
                &entry,
                file.known_version(n),
                file.altered.as_deref(),
            ),
            Err(StoreError::Missing { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !whole {
            lost.push(source.index);
        }
    }
    Ok(lost)
}

/// Pure: true if the staged file is as committed. `known` is its version after the previous publication; `altered` is the
/// version of an altered output file, which shows a hard link to the staged file.
fn is_whole(
    source: &StagedFile,
    entry: &Entry,
    known: Option<&str>,
    altered: Option<&str>,
) -> bool {
    entry.size == source.size
        && known.is_none_or(|known| known == entry.version)
        && altered != Some(entry.version.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use drover_shared::id::JobId;

    #[test]
    fn a_staged_file_is_whole_if_size_and_known_version_agree() {
        let source = StagedFile {
            index: 0,
            n: 0,
            job: JobId::generate(),
            staged: "claim-0".to_owned(),
            size: 1,
        };
        #[rustfmt::skip]
        let rows = [
            ("never published",            1, "v", None,      None,      true),
            ("cut off",                    0, "v", None,      None,      false),
            ("as after the publication",   1, "v", Some("v"), None,      true),
            ("altered after it",           1, "w", Some("v"), None,      false),
            ("the output was replaced",    1, "v", Some("v"), Some("w"), true),
            ("altered through the output", 1, "w", None,      Some("w"), false),
        ];
        for (name, size, version, known, altered, expected) in rows {
            let entry = Entry {
                path: "/staged".to_owned(),
                size,
                version: version.to_owned(),
            };
            assert_eq!(
                is_whole(&source, &entry, known, altered),
                expected,
                "{name}"
            );
        }
    }
}
