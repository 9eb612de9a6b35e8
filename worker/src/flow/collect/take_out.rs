//! Moves the output files out of the slot.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drover_shared::datum::Output;

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

    /// The outputs. The files must have been moved away; files that are still there are removed.
    pub(in crate::flow) fn into_outputs(self) -> Vec<Output> {
        self.outputs
    }
}

/// Files that are removed when dropped, unless they were moved away.
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
    let collected =
        lease.with_runner(move |runner| take_out(runner, writer, &mounts, &scratch, &claim));
    collected.await.map_err(InfrastructureError::Runner)?
}

/// The state of the command that wrote the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WriterState {
    /// The command has ended, and so have all processes that it started.
    Gone,
    /// The command runs and may have the files open, so they are copied.
    Alive,
}

fn take_out(
    runner: &Runner,
    writer: WriterState,
    mounts: &[Mount],
    scratch: &Scratch,
    claim: &str,
) -> Result<CollectedOutput, FlowError> {
    let out = OutputDirectory::open(&runner.out())?;
    let listing = list(&out)?;
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
    hold(&out, found, writer, scratch, claim)
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
        if let OutputSource::Linked(source) = &file.source {
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
                out.move_out(&file.path, place, &mut parent)?
            }
            (OutputSource::Out, WriterState::Alive) => {
                copy(&file.path, out.open_file(&file.path, &mut parent)?, place)?;
            }
            (OutputSource::Linked(_), _) => {}
        }
        let metadata = fs::symlink_metadata(place).map_err(InfrastructureError::scratch(place))?;
        if !metadata.is_file() {
            return Err(refused(&file.path, CHANGED));
        }
        let OutputFile { path, .. } = file;
        collected.outputs.push(Output {
            path: format!("/{path}"),
            size: metadata.len(),
        });
    }
    Ok(collected)
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
