//! Moves the output files out of the slot.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drover_shared::datum::{Output, content_hash};

use super::directory::OutputDirectory;
use super::file::{OutputFile, OutputSource};
use super::links::{self, LinkResolver};
use super::listing::list;
use super::refusal::{CHANGED, refused};
use crate::context::WorkerContext;
use crate::flow::stage::StagedDatum;
use crate::flow_error::{FlowError, InfrastructureError};
use crate::runner::{Mount, Runner};
use crate::slots::Scratch;
use crate::slots::SlotLease;

/// The output of a datum, in files of the scratch directory.
#[derive(Debug, Default)]
pub(in crate::flow) struct CollectedOutput {
    outputs: Vec<Output>,
    held: CollectedFiles,
}

impl CollectedOutput {
    /// The files, in the order of the outputs.
    pub(in crate::flow) fn files(&self) -> &[PathBuf] {
        &self.held.0
    }

    /// The outputs, in byte order of their paths.
    pub(in crate::flow) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The outputs. The files must have been moved away; files that are still there are removed.
    pub(in crate::flow) fn into_outputs(self) -> Vec<Output> {
        self.outputs
    }
}

/// Files removed on drop, unless moved away before.
#[derive(Debug, Default)]
struct CollectedFiles(Vec<PathBuf>);

impl Drop for CollectedFiles {
    fn drop(&mut self) {
        for file in &self.0 {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!("cannot remove {}: {error}", file.display());
                }
                _ => {}
            }
        }
    }
}

/// The largest hole in bytes that is read in order to hash a sparse file: half a minute's work.
const MOST_HOLES: u64 = 64 << 30;

/// Takes the output out of the slot.
pub(in crate::flow) async fn collect(
    lease: &mut SlotLease<'_>,
    staged: &StagedDatum,
    context: &WorkerContext,
) -> Result<CollectedOutput, FlowError> {
    let scratch = Arc::clone(&context.scratch);
    let claim = Arc::clone(&staged.claimed.claim);
    let mounts = staged.mounts.clone();
    let writer = if staged.claimed.job.pipeline.transform.datum_batching {
        WriterState::Alive
    } else {
        WriterState::Gone
    };
    let taken = lease.with_runner(move |runner| {
        let out = OutputDirectory::open(&runner.out())?;
        let found = find(runner, &out, &mounts)?;
        let missing = missing(&found);
        if missing.is_empty() {
            hold(&out, found, writer, &scratch, &claim).map(TakenOut::All)
        } else {
            Ok(TakenOut::Missing { found, missing })
        }
    });
    match taken.await.map_err(InfrastructureError::Runner)?? {
        TakenOut::All(collected) => Ok(collected),
        TakenOut::Missing { found, missing } => {
            staged.fetch(&missing).await?;
            let scratch = Arc::clone(&context.scratch);
            let claim = Arc::clone(&staged.claimed.claim);
            let taken = lease.with_runner(move |runner| {
                let out = OutputDirectory::open(&runner.out())?;
                hold(&out, found, writer, &scratch, &claim)
            });
            taken.await.map_err(InfrastructureError::Runner)?
        }
    }
}

/// The result of a first look at the output directory.
enum TakenOut {
    All(CollectedOutput),
    /// Links lead to inputs whose content has not been downloaded.
    Missing {
        found: Vec<OutputFile>,
        missing: BTreeSet<PathBuf>,
    },
}

/// The state of the command that wrote the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WriterState {
    /// The command and all processes started by the command have ended.
    Gone,
    /// The command runs and may have the files open, so they are copied.
    Alive,
}

/// Lists the files of the output, those behind links included, in byte order of their paths.
fn find(
    runner: &Runner,
    out: &OutputDirectory,
    mounts: &[Mount],
) -> Result<Vec<OutputFile>, FlowError> {
    let listing = list(out)?;
    let mut found: Vec<OutputFile> = listing
        .files
        .into_iter()
        .map(|path| OutputFile {
            path,
            source: OutputSource::Out,
        })
        .collect();
    let inside = LinkResolver::new(runner, mounts);
    for link in &listing.links {
        found.extend(inside.files_behind(link)?);
    }
    found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// The files with the content of inputs that are not on the local machine.
fn missing(found: &[OutputFile]) -> BTreeSet<PathBuf> {
    let hidden = found.iter().filter_map(|file| match &file.source {
        OutputSource::Hidden(source) if !source.exists() => Some(source.clone()),
        _ => None,
    });
    hidden.collect()
}

/// Moves every file to its place outside the slot. Targets of links come first, while they are still in their place.
fn hold(
    out: &OutputDirectory,
    found: Vec<OutputFile>,
    writer: WriterState,
    scratch: &Scratch,
    claim: &str,
) -> Result<CollectedOutput, FlowError> {
    let place = |n| scratch.hold(claim, n);
    let mut collected = CollectedOutput {
        outputs: Vec::with_capacity(found.len()),
        held: CollectedFiles((0..found.len()).map(place).collect()),
    };
    for (file, place) in found.iter().zip(&collected.held.0) {
        if let OutputSource::Linked(source) | OutputSource::Hidden(source) = &file.source {
            match (scratch.holds(source), writer) {
                (true, WriterState::Alive) => {
                    let opened = scratch.open(source);
                    let opened = opened.map_err(|_| refused(&file.path, CHANGED))?;
                    copy(&file.path, opened, place)?;
                }
                (ours, _) => {
                    links::duplicate(source, place, ours)
                        .map_err(InfrastructureError::scratch(place))?;
                }
            }
        }
    }
    let mut parent = None;
    for (file, place) in found.into_iter().zip(&collected.held.0) {
        match (&file.source, writer) {
            (OutputSource::Out, WriterState::Gone) => {
                out.move_out(&file.path, place, &mut parent)?;
            }
            (OutputSource::Out, WriterState::Alive) => {
                copy(&file.path, out.open_file(&file.path, &mut parent)?, place)?;
            }
            (OutputSource::Linked(_) | OutputSource::Hidden(_), _) => {}
        }
        collected.outputs.push(describe(&file, place)?);
    }
    Ok(collected)
}

/// The output file at `place`, with its hash.
fn describe(file: &OutputFile, place: &Path) -> Result<Output, FlowError> {
    let metadata = fs::symlink_metadata(place).map_err(InfrastructureError::scratch(place))?;
    if !metadata.is_file() {
        return Err(refused(&file.path, CHANGED));
    }
    let hash = whole_file(&file.source, place, &metadata)
        .and_then(|()| hash_of(place, &metadata))
        .map_err(InfrastructureError::scratch(place))?;
    Ok(Output {
        path: format!("/{}", file.path),
        size: metadata.len(),
        hash,
        version: None,
    })
}

/// Gives a moved file a single name and read access. Names that the command gave to the file elsewhere would let others
/// change the output.
fn whole_file(source: &OutputSource, place: &Path, metadata: &Metadata) -> io::Result<()> {
    if metadata.mode() & 0o400 == 0 {
        fs::set_permissions(place, Permissions::from_mode(0o600))?;
    }
    if matches!(source, OutputSource::Out) && metadata.nlink() > 1 {
        links::unshare(place)?;
    }
    Ok(())
}

/// The hash of the file at `place`; none if most of it is a hole and to read it would take minutes.
fn hash_of(place: &Path, metadata: &Metadata) -> io::Result<Option<String>> {
    let holes = metadata.len().saturating_sub(metadata.blocks() * 512);
    if holes > MOST_HOLES {
        return Ok(None);
    }
    content_hash(File::open(place)?).map(Some)
}

/// Copies an opened file to `place`, after a check that it is a regular file.
fn copy(path: &str, mut source: File, place: &Path) -> Result<(), FlowError> {
    let metadata = source
        .metadata()
        .map_err(InfrastructureError::scratch(place))?;
    if !metadata.is_file() {
        return Err(refused(path, CHANGED));
    }
    links::copy(&mut source, place).map_err(InfrastructureError::scratch(place))
}
