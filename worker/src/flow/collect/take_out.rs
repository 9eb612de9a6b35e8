//! Moves the output files out of the slot.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drover_shared::datum::Output;

use super::directory::Directory;
use super::file::{Found, Origin};
use super::links::{self, Inside};
use super::listing::survey;
use super::refusal::{CHANGED, refused};
use crate::context::Tools;
use crate::failure::{Failure, Trouble};
use crate::flow::stage::Staged;
use crate::runner::{Mount, Runner};
use crate::slots::Lease;
use crate::slots::Scratch;

/// The output of a datum, in files of the scratch directory.
#[derive(Debug, Default)]
pub(in crate::flow) struct Collected {
    outputs: Vec<Output>,
    held: Held,
}

impl Collected {
    /// The files, in the order of the outputs.
    pub(in crate::flow) fn files(&self) -> &[PathBuf] {
        &self.held.0
    }

    /// What the files are. They must have been moved elsewhere; those that are still there are removed.
    pub(in crate::flow) fn into_outputs(self) -> Vec<Output> {
        self.outputs
    }
}

/// Files that are removed when dropped, unless they were moved away.
#[derive(Debug, Default)]
struct Held(Vec<PathBuf>);

impl Drop for Held {
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
    lease: &mut Lease<'_>,
    staged: &Staged,
    tools: &Tools,
) -> Result<Collected, Failure> {
    let scratch = Arc::clone(&tools.scratch);
    let claim = Arc::clone(&staged.claimed.claim);
    let mounts = staged.mounts.clone();
    let writer = if staged.claimed.job.pipeline.transform.datum_batching {
        Writer::Alive
    } else {
        Writer::Gone
    };
    let collected =
        lease.with_runner(move |runner| take_out(runner, writer, &mounts, &scratch, &claim));
    collected.await.map_err(Trouble::Runner)?
}

/// What has become of the command that wrote the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Writer {
    /// It is gone, with all that it started.
    Gone,
    /// It is there, and may have the files open: what is kept must be a copy.
    Alive,
}

fn take_out(
    runner: &Runner,
    writer: Writer,
    mounts: &[Mount],
    scratch: &Scratch,
    claim: &str,
) -> Result<Collected, Failure> {
    let out = Directory::open(&runner.out())?;
    let survey = survey(&out)?;
    let mut found: Vec<Found> = survey
        .files
        .into_iter()
        .map(|path| Found {
            path,
            origin: Origin::Out,
        })
        .collect();
    let inside = Inside::new(runner, mounts);
    for link in &survey.links {
        found.extend(inside.behind(link)?);
    }
    found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    hold(&out, found, writer, scratch, claim)
}

/// Gives every file its place outside the slot: first what links lead to, as long as that is where it was.
fn hold(
    out: &Directory,
    found: Vec<Found>,
    writer: Writer,
    scratch: &Scratch,
    claim: &str,
) -> Result<Collected, Failure> {
    let place = |n| scratch.hold(claim, n);
    let mut collected = Collected {
        outputs: Vec::with_capacity(found.len()),
        held: Held((0..found.len()).map(place).collect()),
    };
    for (file, place) in found.iter().zip(&collected.held.0) {
        if let Origin::Linked(source) = &file.origin {
            match (scratch.holds(source), writer) {
                (true, Writer::Alive) => {
                    let opened = scratch.open(source);
                    let opened = opened.map_err(|_| refused(&file.path, CHANGED))?;
                    copy(&file.path, opened, place)?;
                }
                (ours, _) => {
                    links::duplicate(source, place, ours).map_err(Trouble::scratch(place))?;
                }
            }
        }
    }
    let mut parent = None;
    for (file, place) in found.into_iter().zip(&collected.held.0) {
        match (&file.origin, writer) {
            (Origin::Out, Writer::Gone) => out.move_out(&file.path, place, &mut parent)?,
            (Origin::Out, Writer::Alive) => {
                copy(&file.path, out.open_file(&file.path, &mut parent)?, place)?;
            }
            (Origin::Linked(_), _) => {}
        }
        let metadata = fs::symlink_metadata(place).map_err(Trouble::scratch(place))?;
        if !metadata.is_file() {
            return Err(refused(&file.path, CHANGED));
        }
        let Found { path, .. } = file;
        collected.outputs.push(Output {
            path: format!("/{path}"),
            size: metadata.len(),
        });
    }
    Ok(collected)
}

/// Makes `place` hold what is in an opened file, which may be no file any more.
fn copy(path: &str, mut source: File, place: &Path) -> Result<(), Failure> {
    let metadata = source.metadata().map_err(Trouble::scratch(place))?;
    if !metadata.is_file() {
        return Err(refused(path, CHANGED));
    }
    links::copy(&mut source, place).map_err(Trouble::scratch(place))
}
