//! A publication, from the ledger to the output folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::OutputConflict;
use drover_shared::store::{Store, StoreError, StoreKey, Walk, layout};
use tokio_util::sync::CancellationToken;

use super::apply::{OutputFolder, apply};
use super::durable;
use super::gather::gather;
use super::join::PathJoin;
use super::piece::{self, StagedFile};
use super::plan::{Plan, TargetFolder, plan};
use super::undo::{self, settle};
use super::verify::{find_lost, has_hash};
use super::{FileProgress, LatestLook, OutputError};

/// Limit of plans for a publication while other publications change the record.
const MOST_PLANS: usize = 8;

/// A publication to be made.
#[derive(Debug)]
pub struct OutputRequest<'a> {
    /// Ledger of the store to publish in.
    pub ledger: &'a Ledger,
    /// The pipeline, which names the output folder.
    pub pipeline: &'a PipelineName,
    /// The job; all of its datums must have ended.
    pub job: JobId,
    /// Newest entry of each place whose datum ran again, see [`ManifestEntry::place`](drover_shared::ledger::ManifestEntry::place).
    pub redone: &'a BTreeMap<u64, u64>,
    /// True if no power cut can have damaged the job's staged files: its leader saw the job from the start.
    pub from_start: bool,
    /// Policy for two datums that wrote the same path.
    pub conflict: OutputConflict,
    /// Local folder for sorting and temporary files.
    pub scratch: &'a Path,
    /// Stops the publication between two files.
    pub stop: &'a CancellationToken,
    /// True if late requests of another publication may undo changes, so that the caller publishes once more: all files that
    /// are written now are then written again.
    pub is_contested: bool,
    /// Each change waits until the latest look at epoch and number is recent.
    pub look: &'a LatestLook,
}

/// Result of a publication.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OutputSummary {
    /// Files of Drover in the output folder.
    pub files: u64,
    /// Files written or removed.
    pub changes: u64,
    /// Foreign files in the output folder: count and first path.
    pub foreign: Option<(u64, String)>,
}

/// Makes the output folder hold the union of the outputs of the job's datums. Safe to repeat; only for the holder of the
/// lock on the output folder.
///
/// After an error a folder is as it was; after a success, [`keep_changes`](super::undo::keep_changes) follows once the job
/// has its final record. On a bucket a publication that fails after its first change leaves some files new, until the next
/// publication; a stop is ignored from then on.
pub async fn write_output(
    request: OutputRequest<'_>,
    progress: &(dyn Fn(FileProgress) + Sync),
) -> Result<OutputSummary, OutputError> {
    let (ledger, pipeline) = (request.ledger, request.pipeline);
    settle(ledger, pipeline).await?;
    let never = CancellationToken::new();
    let stop = if ledger.store().local_root().is_some() {
        request.stop
    } else {
        &never
    };
    let written = attempt(&OutputRequest { stop, ..request }, progress).await;
    if written.is_err()
        && let Err(error) = settle(ledger, pipeline).await
    {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(
            pipeline.name = %pipeline, error,
            "cannot restore the output folder {pipeline}; the next job restores it",
        );
    }
    written
}

/// Publishes. After an error, changes may have to be taken back.
pub(super) async fn attempt(
    request: &OutputRequest<'_>,
    progress: &(dyn Fn(FileProgress) + Sync),
) -> Result<OutputSummary, OutputError> {
    let store = request.ledger.store();
    let plan = match current_plan(request).await {
        Err(conflict @ OutputError::Conflict { .. }) => {
            return Err(with_inputs(request, conflict).await?);
        }
        Err(OutputError::InTheWay { path, .. }) => {
            let kind = kind_of(store, &path);
            return Err(OutputError::InTheWay { path, kind });
        }
        plan => plan?,
    };
    let summary = OutputSummary {
        files: plan.files,
        changes: plan.changes,
        foreign: plan.foreign.clone(),
    };
    if plan.changes == 0 && !plan.has_news {
        create_folder(request).await?;
        return Ok(summary);
    }
    let lost_datums = find_lost(store, &plan).await?;
    if !lost_datums.is_empty() {
        return Err(lost(lost_datums.into_iter().collect()));
    }
    if let Some((count, first)) = &plan.altered {
        let files = if *count == 1 { "file" } else { "files" };
        tracing::warn!(
            pipeline.name = %request.pipeline,
            "{count} {files} of Drover in the output folder {} were edited, replaced or copied, first {first}; they are written again",
            request.pipeline,
        );
    }
    undo::begin(store, request.pipeline, request.job, &plan, request.scratch).await?;
    change_folder(request, &plan, progress).await?;
    Ok(summary)
}

/// Fails if the output folder is a dangling link, or no directory. A link to a directory is the user's wish.
fn check_folder(store: &Store, folder: &StoreKey) -> Result<(), OutputError> {
    let Some(path) = store.local_path(folder) else {
        return Ok(());
    };
    let problem = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "is not a directory; move it away",
        Err(_) if path.is_symlink() => {
            "is a link that leads nowhere; restore its target, or remove the link"
        }
        // A missing folder is created; any other trouble is an error of the store.
        Err(_) => return Ok(()),
    };
    let folder = folder.clone();
    Err(OutputError::NoFolder { folder, problem })
}

/// The kind of something that is in the way and is no ordinary file, for people.
fn kind_of(store: &Store, key: &StoreKey) -> &'static str {
    let found = store
        .local_path(key)
        .and_then(|path| path.symlink_metadata().ok());
    match found.map(|found| found.file_type()) {
        Some(kind) if kind.is_symlink() => ", but a link, through which nothing is written",
        Some(kind) if !kind.is_file() && !kind.is_dir() => ", but a device, FIFO or socket",
        _ => "",
    }
}

/// Names the inputs of two datums that wrote the same path; other errors are unchanged.
async fn with_inputs(
    request: &OutputRequest<'_>,
    mut error: OutputError,
) -> Result<OutputError, OutputError> {
    let OutputError::Conflict {
        first,
        first_input,
        second,
        second_input,
        ..
    } = &mut error
    else {
        return Ok(error);
    };
    let (ledger, job) = (request.ledger, request.job);
    for segment in ledger.segments(job).await? {
        if !segment.contains(*first) && !segment.contains(*second) {
            continue;
        }
        for entry in ledger.manifest(job, segment).await? {
            let inputs = entry.datum.inputs.iter();
            let inputs: Vec<_> = inputs
                .map(|input| format!("{}:{}", input.repo, input.path))
                .collect();
            match entry.datum.index {
                index if index == *first => *first_input = inputs.join(" and "),
                index if index == *second => *second_input = inputs.join(" and "),
                _ => {}
            }
        }
    }
    Ok(error)
}

/// Creates an empty output folder, so readers find an empty repo.
async fn create_folder(request: &OutputRequest<'_>) -> Result<(), OutputError> {
    let key = layout::output(request.pipeline);
    let Some(folder) = request.ledger.store().local_path(&key) else {
        return Ok(());
    };
    let created = tokio::fs::create_dir_all(folder).await;
    created.map_err(|source| {
        OutputError::Store(StoreError::Unavailable {
            key,
            source: source.into(),
        })
    })
}

/// Puts the record that announces the changes, applies the plan, and puts the final record.
async fn change_folder(
    request: &OutputRequest<'_>,
    plan: &Plan,
    progress: &(dyn Fn(FileProgress) + Sync),
) -> Result<(), OutputError> {
    let store = request.ledger.store();
    let key = layout::published(request.pipeline);
    request.look.recent().await;
    store.adopt(plan.before.path(), &key).await?;
    let site = OutputFolder {
        store,
        folder: &layout::output(request.pipeline),
        scratch: request.scratch,
        stop: request.stop,
        look: request.look,
        progress,
    };
    let applied = apply(&site, plan).await?;
    if !applied.lost.is_empty() {
        return Err(lost(applied.lost.into_iter().collect()));
    }
    if request.is_contested {
        return Ok(());
    }
    request.look.recent().await;
    Ok(store.adopt(applied.after.path(), &key).await?)
}

fn lost(mut datums: Vec<u64>) -> OutputError {
    datums.sort_unstable();
    OutputError::Lost { datums }
}

/// Plans by the record as it is after the listing. In a bucket another publication may announce its files in the record, and
/// write them, between the reading of the record and the listing; they would look foreign.
async fn current_plan(request: &OutputRequest<'_>) -> Result<Plan, OutputError> {
    let mut known = record_version(request).await?;
    for _ in 1..MOST_PLANS {
        let plan = make_plan(request).await;
        let now = record_version(request).await?;
        if now == known {
            return plan;
        }
        known = now;
    }
    make_plan(request).await
}

/// The version of the record in a bucket. A folder has one writer at a time.
async fn record_version(request: &OutputRequest<'_>) -> Result<Option<String>, StoreError> {
    let store = request.ledger.store();
    if store.local_root().is_some() {
        return Ok(None);
    }
    match store.entry(&layout::published(request.pipeline)).await {
        Ok(entry) => Ok(Some(entry.version)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Plans on a blocking thread.
async fn make_plan(request: &OutputRequest<'_>) -> Result<Plan, OutputError> {
    let store = request.ledger.store().clone();
    let gathered = gather(request).await?;
    if !gathered.lost.is_empty() {
        return Err(lost(gathered.lost));
    }
    let folder = layout::output(request.pipeline);
    check_folder(&store, &folder)?;
    let key = layout::published(request.pipeline);
    let recorded = open_record(&store, &key, request.scratch).await?;
    let (conflict, scratch) = (request.conflict, request.scratch.to_owned());
    let planning = tokio::task::spawn_blocking(move || {
        let desired =
            piece::files(gathered.pieces).map(|desired| desired.map_err(OutputError::from));
        let found = walk(&store, &folder)?.into_iter().flatten();
        // Names outside UTF-8 cannot be outputs, so such files are left alone.
        let found = found.filter(|entry| !matches!(entry, Err(StoreError::Irregular { .. })));
        let mut found = found
            .map(|entry| entry.map_err(OutputError::from))
            .peekable();
        // An older Drover wrote an empty record for an empty folder.
        let is_record = |file: &BufReader<File>| file.get_ref().metadata().map(|it| it.len() > 0);
        let recorded = match recorded {
            Some(file) if found.peek().is_some() || is_record(&file)? => Some(file),
            _ => None,
        };
        let recorded = recorded.into_iter().flat_map(durable::read);
        let recorded = recorded.map(|line| {
            line.map_err(|source| OutputError::Damaged {
                key: key.clone(),
                source,
            })
        });
        // Without a hash (older versions, huge sparse files) a touched file passes.
        let has_content = |path: &str, source: &StagedFile| match &source.hash {
            Some(hash) => has_hash(&store, &super::key_of(&folder, path)?, hash),
            None => Ok(true),
        };
        plan(
            PathJoin::new(desired, recorded, found),
            conflict,
            TargetFolder {
                key: &folder,
                is_link: store
                    .local_path(&folder)
                    .is_some_and(|path| path.is_symlink()),
                has_content: &has_content,
            },
            &scratch,
        )
    });
    planning
        .await
        .map_err(|panic| OutputError::Scratch(io::Error::other(panic)))?
}

/// The files of the output folder; none if the folder is missing.
fn walk(store: &Store, folder: &StoreKey) -> Result<Option<Walk>, StoreError> {
    match store.walk_names(folder) {
        Ok(walk) => Ok(Some(walk)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The record of the previous publication; none before the first.
async fn open_record(
    store: &Store,
    key: &StoreKey,
    scratch: &Path,
) -> Result<Option<BufReader<File>>, OutputError> {
    let copy = scratch.join("published");
    remove_if_there(&copy)?;
    match store.download(key, &copy).await {
        Ok(_) => {}
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(StoreError::Corrupt { key, source, .. }) => {
            return Err(OutputError::Damaged {
                key,
                source: io::Error::other(source),
            });
        }
        Err(error) => return Err(error.into()),
    }
    let file = File::open(&copy)?;
    remove_if_there(&copy)?;
    Ok(Some(BufReader::new(file)))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
