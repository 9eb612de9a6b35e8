//! Verification: reads every byte of the stored outputs and compares them with the records.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use drover_shared::datum::{Output, content_hash};
use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::store::{Store, StoreError, StoreKey, layout};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::successes::{Successes, jobs_with_output};

/// Files read at once.
const CONCURRENT_FILES: usize = 4;

/// The stored outputs of a pipeline.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Datums with a stored success.
    pub datums: u64,
    /// Datums with a damaged output, whose work would be done anew.
    pub redo: u64,
    /// Files read.
    pub files: u64,
    /// Their size in bytes, according to the records.
    pub bytes: u64,
    /// Files whose records have no hash, so only the size was compared.
    pub unhashed: u64,
    /// The damaged files.
    pub damaged: Vec<DamagedOutput>,
}

/// A stored output that differs from its record.
#[derive(Debug, PartialEq, Serialize)]
pub struct DamagedOutput {
    /// The job that wrote the file.
    pub job: JobId,
    /// Index of the datum in the job.
    pub index: u64,
    /// Path below the output folder.
    pub path: String,
    /// The difference.
    pub problem: String,
}

/// Reads the stored outputs of all pipelines, or of `only`. Safe beside running jobs; files that a job removes meanwhile are
/// reported as damaged.
pub async fn verify(
    ledger: &Ledger,
    only: Option<&PipelineName>,
) -> Result<Vec<Verification>, StoreError> {
    let mut all = Vec::new();
    for (pipeline, jobs) in jobs_with_output(ledger).await? {
        if only.is_none_or(|only| *only == pipeline) {
            all.push(verify_pipeline(ledger, pipeline, &jobs).await?);
        }
    }
    Ok(all)
}

async fn verify_pipeline(
    ledger: &Ledger,
    pipeline: PipelineName,
    jobs: &[JobId],
) -> Result<Verification, StoreError> {
    let done = ledger.written_done_index(&pipeline).await?;
    let successes = Successes::new(ledger, &pipeline, done).await?;
    let mut found = Verification {
        pipeline,
        datums: 0,
        redo: 0,
        files: 0,
        bytes: 0,
        unhashed: 0,
        damaged: Vec::new(),
    };
    for job in jobs {
        for segment in ledger.segments(*job).await? {
            for (_, verdict) in successes.of_segment(ledger, *job, segment).await? {
                found.datums += 1;
                found.files += verdict.outputs.len() as u64;
                found.bytes += verdict
                    .outputs
                    .iter()
                    .map(|output| output.size)
                    .sum::<u64>();
                let unhashed = verdict
                    .outputs
                    .iter()
                    .filter(|output| output.hash.is_none());
                found.unhashed += unhashed.count() as u64;
                let files = verdict.outputs.iter().enumerate().map(|(n, output)| {
                    let key = layout::staged_file(*job, &verdict.staged, n);
                    async move {
                        let problem = check(ledger.store(), key, output).await?;
                        Ok::<_, StoreError>(problem.map(|problem| (output.path.clone(), problem)))
                    }
                });
                let checked = stream::iter(files).buffered(CONCURRENT_FILES);
                let problems: Vec<_> = checked
                    .try_filter_map(|problem| std::future::ready(Ok(problem)))
                    .try_collect()
                    .await?;
                found.redo += u64::from(!problems.is_empty());
                found
                    .damaged
                    .extend(problems.into_iter().map(|(path, problem)| DamagedOutput {
                        job: *job,
                        index: verdict.index,
                        path,
                        problem,
                    }));
            }
        }
    }
    Ok(found)
}

/// The difference between a stored file and its record, if any.
async fn check(
    store: &Store,
    key: StoreKey,
    output: &Output,
) -> Result<Option<String>, StoreError> {
    let output = output.clone();
    let (path, copy) = if let Some(path) = store.local_path(&key) {
        (path, None)
    } else {
        let folder = tempfile::tempdir().map_err(|error| StoreError::Unavailable {
            key: key.clone(),
            source: error.into(),
        })?;
        let path = folder.path().join("output");
        match store.download(&key, &path).await {
            Ok(_) => (path, Some(folder)),
            Err(StoreError::Missing { .. }) => {
                return Ok(Some("the file is missing".to_owned()));
            }
            Err(error) => return Err(error),
        }
    };
    let compared = spawn_blocking(move || {
        let _copy = copy;
        compare(&path, &output)
    });
    let compared = compared.await.map_err(io::Error::other).flatten();
    Ok(compared.unwrap_or_else(|error| Some(format!("the file cannot be read: {error}"))))
}

fn compare(path: &Path, output: &Output) -> io::Result<Option<String>> {
    let about = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Some("the file is missing".to_owned()));
        }
        about => about?,
    };
    if !about.is_file() {
        return Ok(Some("it is no regular file".to_owned()));
    }
    if about.len() != output.size {
        let (is, was) = (about.len(), output.size);
        return Ok(Some(format!("the file has {is} bytes instead of {was}")));
    }
    match &output.hash {
        Some(hash) if *hash != content_hash(File::open(path)?)? => {
            Ok(Some("the content has changed".to_owned()))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let record = |hash: Option<&str>| Output {
            path: "/a".to_owned(),
            size: 5,
            hash: hash.map(str::to_owned),
            version: None,
        };
        let problem = |hash: Option<&str>| compare(&path, &record(hash)).unwrap();
        assert!(problem(None).is_some_and(|why| why.contains("missing")));
        std::fs::write(&path, "hello").unwrap();
        let hello = content_hash(&b"hello"[..]).unwrap();
        assert_eq!(problem(Some(&hello)), None);
        std::fs::write(&path, "jello").unwrap();
        assert!(problem(Some(&hello)).is_some_and(|why| why.contains("changed")));
        assert_eq!(problem(None), None);
        std::fs::write(&path, "hell").unwrap();
        assert!(problem(Some(&hello)).is_some_and(|why| why.contains("4 bytes instead of 5")));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(problem(Some(&hello)).is_some_and(|why| why.contains("regular")));
    }
}
