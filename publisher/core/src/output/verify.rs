//! Makes sure, before the output folder is touched, that every staged file of a plan is whole.

use std::collections::BTreeSet;
use std::pin::pin;

use drover_shared::datum::content_hash;
use drover_shared::store::{Entry, Store, StoreError, StoreKey, VersionMatch};
use futures::{StreamExt, TryStreamExt, stream};

use super::OutputError;
use super::bucket::StagedSizes;
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
    let sizes = listed_sizes(store, plan).await?;
    let looks = stream::iter(files).map(|file| async { lost_datums(store, &sizes, &file?).await });
    let mut looks = pin!(looks.buffer_unordered(AT_ONCE));
    let mut lost = BTreeSet::new();
    while let Some(datums) = looks.try_next().await? {
        lost.extend(datums);
    }
    Ok(lost)
}

/// The sizes that spare a look at each staged file of a bucket, where the size is enough.
async fn listed_sizes(store: &Store, plan: &Plan) -> Result<StagedSizes, OutputError> {
    if store.local_root().is_some() {
        return Ok(StagedSizes::default());
    }
    let (store, steps) = (store.clone(), plan.steps()?);
    let listing = tokio::task::spawn_blocking(move || StagedSizes::list(&store, steps));
    listing.await.map_err(std::io::Error::other)?
}

async fn lost_datums(
    store: &Store,
    sizes: &StagedSizes,
    file: &FileToWrite,
) -> Result<Vec<u64>, OutputError> {
    let mut lost = Vec::new();
    for (n, source) in file.sources.iter().enumerate() {
        if sizes.show(source) {
            continue;
        }
        let whole = match store.entry(&source.key()).await {
            Ok(entry) => match judge(
                source,
                &entry,
                file.known_version(n),
                store.local_root().is_some(),
            ) {
                Judgement::Whole => true,
                Judgement::Lost => false,
                Judgement::Compare(hash) => {
                    let (store, key, hash) = (store.clone(), source.key(), hash.to_owned());
                    let reading =
                        tokio::task::spawn_blocking(move || has_hash(&store, &key, &hash));
                    reading.await.map_err(std::io::Error::other)??
                }
            },
            Err(StoreError::Missing { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !whole {
            lost.push(source.index);
        }
    }
    Ok(lost)
}

/// Evidence of size and version about a staged file.
#[derive(Debug, Eq, PartialEq)]
enum Judgement<'a> {
    Whole,
    Lost,
    /// Its content must have this hash.
    Compare(&'a str),
}

/// Pure: judges a staged file by its listing. `known` is its version after the previous publication. In a folder, where a
/// published file may be a hard link to the staged one, an edit of the output changes the staged file. A bucket has no
/// links, so the size is enough.
fn judge<'a>(
    source: &'a StagedFile,
    entry: &Entry,
    known: Option<&str>,
    in_folder: bool,
) -> Judgement<'a> {
    if entry.size != source.size {
        return Judgement::Lost;
    }
    let versions = [known, source.version.as_deref()];
    let matched = versions.into_iter().flatten();
    let best = matched
        .map(|version| VersionMatch::of(version, &entry.version))
        .min();
    match &source.hash {
        _ if !in_folder || best == Some(VersionMatch::Same) => Judgement::Whole,
        Some(hash) => Judgement::Compare(hash),
        // Without a hash (older versions, huge sparse files) a touched file passes, and so does one without a known version,
        // which was never published.
        None if versions == [None, None] || best == Some(VersionMatch::Touched) => Judgement::Whole,
        None => Judgement::Lost,
    }
}

/// True if the file of a folder has the hash. Reads the file; blocking.
pub(super) fn has_hash(store: &Store, key: &StoreKey, hash: &str) -> Result<bool, OutputError> {
    let Some(opened) = store.open_local(key) else {
        return Ok(false);
    };
    match opened.and_then(content_hash) {
        Ok(found) => Ok(found == hash),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OutputError::Store(StoreError::Unavailable {
            key: key.clone(),
            source: error.into(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drover_shared::id::JobId;

    #[test]
    fn size_and_version_tell_whether_a_staged_file_must_be_read() {
        use Judgement::{Compare, Lost, Whole};
        let source = |hash: Option<&str>, version: Option<&str>| StagedFile {
            index: 0,
            n: 0,
            job: JobId::generate(),
            staged: "claim-0".to_owned(),
            size: 1,
            hash: hash.map(str::to_owned),
            version: version.map(str::to_owned),
        };
        let hash = Some("blake3:1");
        #[rustfmt::skip]
        let rows = [
            ("as committed",                source(hash, Some("v")), 1, "v", None,      true,  Whole),
            ("cut off",                     source(hash, Some("v")), 0, "v", None,      true,  Lost),
            ("as published",                source(hash, Some("v")), 1, "w", Some("w"), true,  Whole),
            ("touched, copied or edited",   source(hash, Some("v")), 1, "x", Some("w"), true,  Compare("blake3:1")),
            ("never published, copied",     source(hash, None),      1, "x", None,      true,  Compare("blake3:1")),
            ("old record, never published", source(None, None),      1, "x", None,      true,  Whole),
            ("old record, as published",    source(None, None),      1, "w", Some("w"), true,  Whole),
            ("old record, edited",          source(None, None),      1, "x", Some("w"), true,  Lost),
            ("a new link to it",            source(hash, None),      1, "1-2-1-4", Some("1-2-1-3"), true, Compare("blake3:1")),
            ("the same without a hash",     source(None, None),      1, "1-2-1-4", Some("1-2-1-3"), true, Whole),
            ("in a bucket",                 source(hash, None),      1, "x", Some("w"), false, Whole),
            ("in a bucket, cut off",        source(hash, None),      0, "x", Some("w"), false, Lost),
        ];
        for (name, source, size, version, known, in_folder, expected) in rows {
            let entry = Entry {
                path: "/staged".to_owned(),
                size,
                version: version.to_owned(),
            };
            assert_eq!(judge(&source, &entry, known, in_folder), expected, "{name}");
        }
    }
}
