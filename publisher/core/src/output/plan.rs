//! Plans a publication from desired, recorded and found files. Changes nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use drover_shared::pipeline::OutputConflict;
use drover_shared::store::{Entry, StoreKey, VersionMatch};
use drover_shared::units::total_bytes;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::OutputError;
use super::decide::{PathAction, decide};
use super::durable::{RecordedFile, ScratchList};
use super::join::{PathJoin, PathRow};
use super::piece::{DesiredFile, StagedFile};
use super::sorted::clash::{Owner, PathClashes};

/// Step for a path of Drover.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlanStep {
    /// The file stays, and stays on record.
    Keep(RecordedFile),
    /// The file is written.
    Write(FileToWrite),
    /// The file is removed.
    Delete(String),
}

/// A file to be written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct FileToWrite {
    /// Path, beginning with `/`.
    pub(super) path: String,
    /// Hash of the pieces.
    pub(super) made_of: String,
    /// The pieces in order of concatenation.
    pub(super) sources: Vec<StagedFile>,
    /// True if a file exists at the path.
    pub(super) exists: bool,
    /// Versions of the pieces after the previous publication of the same pieces; empty if unknown.
    pub(super) known: Vec<String>,
}

impl FileToWrite {
    /// Version of piece `n` after the previous publication of the same pieces.
    pub(super) fn known_version(&self, n: usize) -> Option<&str> {
        self.known.get(n).map(String::as_str)
    }

    /// True if the file as `written` has the size of its pieces at commit; they may have changed since they were verified.
    pub(super) fn is_whole(&self, written: &Entry) -> bool {
        written.size == total_bytes(self.sources.iter().map(|source| source.size))
    }
}

/// Result of applying a plan.
pub(super) struct AppliedPlan {
    /// Record of the folder afterwards.
    pub(super) after: NamedTempFile,
    /// Indexes of datums whose staged output is missing or altered.
    pub(super) lost: BTreeSet<u64>,
}

/// The steps, in a nameless scratch file, and the record to be put before the first one.
#[derive(Debug)]
pub(super) struct Plan {
    steps: File,
    /// Record of all files that are or may become Drover's.
    pub(super) before: NamedTempFile,
    /// Number of Drover's files in the folder afterwards.
    pub(super) files: u64,
    /// Number of files to be written or removed.
    pub(super) changes: u64,
    /// True if files that stay are recorded anew.
    pub(super) has_news: bool,
    /// Foreign files in the folder: count and first path.
    pub(super) foreign: Option<(u64, String)>,
    /// Drover's files that were altered and are now replaced or removed: count and first path.
    pub(super) altered: Option<(u64, String)>,
}

impl Plan {
    /// The steps, in byte order of their paths.
    pub(super) fn steps(
        &self,
    ) -> std::io::Result<impl Iterator<Item = std::io::Result<PlanStep>> + use<>> {
        let file = PositionedReader {
            file: self.steps.try_clone()?,
            at: 0,
        };
        Ok(BufReader::new(file)
            .lines()
            .map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}

/// A reader with a position of its own: clones of a file share theirs.
struct PositionedReader {
    file: File,
    at: u64,
}

impl Read for PositionedReader {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Tells whether the file at a path of the output folder has the content of the staged file.
pub(super) type HasContent<'a> = dyn Fn(&str, &StagedFile) -> Result<bool, OutputError> + 'a;

/// The output folder.
#[derive(Clone, Copy)]
pub(super) struct TargetFolder<'a> {
    /// Its key, for messages.
    pub(super) key: &'a StoreKey,
    /// True if it is a link. Then only files that are as Drover wrote them are Drover's: the rest may be a user's, who put the link in the place
    /// of the folder.
    pub(super) is_link: bool,
    pub(super) has_content: &'a HasContent<'a>,
}

/// Plans from three streams sorted by path.
pub(super) fn plan<W, R, F>(
    mut rows: PathJoin<W, R, F>,
    conflict: OutputConflict,
    folder: TargetFolder<'_>,
    scratch: &Path,
) -> Result<Plan, OutputError>
where
    W: Iterator<Item = Result<DesiredFile, OutputError>>,
    R: Iterator<Item = Result<RecordedFile, OutputError>>,
    F: Iterator<Item = Result<Entry, OutputError>>,
{
    let mut builder = PlanBuilder::new(conflict, folder, scratch)?;
    while let Some(row) = rows.next_row()? {
        builder.add(row)?;
    }
    builder.finish()
}

/// True if the file found is not the one that Drover recorded.
fn is_another_file(row: &PathRow) -> bool {
    let recorded = row.recorded.as_ref();
    let recorded = recorded.and_then(|recorded| recorded.version.as_deref());
    let (Some(recorded), Some(found)) = (recorded, &row.found) else {
        return false;
    };
    VersionMatch::of(recorded, &found.version) == VersionMatch::Other
}

/// Collects the steps of a plan.
struct PlanBuilder<'a> {
    conflict: OutputConflict,
    folder: TargetFolder<'a>,
    clashes: PathClashes,
    steps: BufWriter<File>,
    before: ScratchList,
    files: u64,
    changes: u64,
    has_news: bool,
    foreign: Option<(u64, String)>,
    altered: Option<(u64, String)>,
}

impl<'a> PlanBuilder<'a> {
    fn new(
        conflict: OutputConflict,
        folder: TargetFolder<'a>,
        scratch: &Path,
    ) -> Result<Self, OutputError> {
        Ok(Self {
            conflict,
            folder,
            clashes: PathClashes::default(),
            steps: BufWriter::new(tempfile::tempfile_in(scratch)?),
            before: ScratchList::new(scratch)?,
            files: 0,
            changes: 0,
            has_news: false,
            foreign: None,
            altered: None,
        })
    }

    fn add(&mut self, mut row: PathRow) -> Result<(), OutputError> {
        if self.folder.is_link && is_another_file(&row) {
            row.recorded = None;
        }
        let made_of = row.desired.as_ref().map(DesiredFile::made_of);
        let action = decide(
            made_of.as_deref(),
            row.recorded.as_ref(),
            row.found.as_ref(),
        );
        let action = match action {
            PathAction::Compare if self.is_whole(&row)? => PathAction::Keep,
            PathAction::Compare => PathAction::Write,
            action => action,
        };
        match (action, row) {
            (
                PathAction::Keep,
                PathRow {
                    recorded: Some(recorded),
                    found,
                    ..
                },
            ) => self.keep(recorded, found),
            (
                PathAction::Write,
                PathRow {
                    desired: Some(desired),
                    recorded,
                    found,
                },
            ) => {
                let made_of = made_of.unwrap_or_default();
                self.note_altered(recorded.as_ref(), found.as_ref());
                let exists = found.is_some();
                let same = recorded
                    .filter(|recorded| recorded.made_of == made_of && recorded.version.is_some());
                let known = same.map(known_versions).unwrap_or_default();
                self.write(FileToWrite {
                    path: desired.path,
                    made_of,
                    sources: desired.sources,
                    exists,
                    known,
                })
            }
            (
                PathAction::Delete,
                PathRow {
                    recorded: Some(recorded),
                    found,
                    ..
                },
            ) => {
                self.note_altered(Some(&recorded), found.as_ref());
                self.delete(recorded)
            }
            (
                PathAction::Leave,
                PathRow {
                    found: Some(found), ..
                },
            ) => self.leave(&found),
            (
                PathAction::Refuse,
                PathRow {
                    found: Some(found), ..
                },
            ) => Err(self.in_the_way(&found.path)?),
            (
                PathAction::Keep
                | PathAction::Compare
                | PathAction::Write
                | PathAction::Delete
                | PathAction::Leave
                | PathAction::Refuse
                | PathAction::Forget,
                _,
            ) => Ok(()),
        }
    }

    /// True if a touched file has the bytes of the only piece.
    fn is_whole(&self, row: &PathRow) -> Result<bool, OutputError> {
        match &row.desired {
            Some(DesiredFile { path, sources }) => match sources.as_slice() {
                [source] => (self.folder.has_content)(path, source),
                _ => Ok(false),
            },
            None => Ok(false),
        }
    }

    fn keep(
        &mut self,
        mut recorded: RecordedFile,
        found: Option<Entry>,
    ) -> Result<(), OutputError> {
        self.check_clash(&recorded.path, Owner::Drover)?;
        let version = found.map(|found| found.version);
        if recorded.version != version {
            recorded.version = version;
            self.has_news = true;
        }
        self.files += 1;
        self.before.write(&recorded)?;
        self.step(&PlanStep::Keep(recorded))
    }

    fn write(&mut self, making: FileToWrite) -> Result<(), OutputError> {
        self.check_conflict(&making)?;
        self.check_clash(&making.path, Owner::Drover)?;
        self.files += 1;
        self.changes += 1;
        self.before.write(&about_to_change(&making.path))?;
        self.step(&PlanStep::Write(making))
    }

    fn delete(&mut self, recorded: RecordedFile) -> Result<(), OutputError> {
        self.changes += 1;
        self.before.write(&about_to_change(&recorded.path))?;
        self.step(&PlanStep::Delete(recorded.path))
    }

    fn leave(&mut self, found: &Entry) -> Result<(), OutputError> {
        self.check_clash(&found.path, Owner::Foreign)?;
        count(&mut self.foreign, &found.path);
        Ok(())
    }

    fn note_altered(&mut self, recorded: Option<&RecordedFile>, found: Option<&Entry>) {
        if let (Some(recorded), Some(found)) = (recorded, found)
            && let Some(version) = &recorded.version
            && VersionMatch::of(version, &found.version) != VersionMatch::Same
        {
            count(&mut self.altered, &found.path);
        }
    }

    fn step(&mut self, step: &PlanStep) -> Result<(), OutputError> {
        serde_json::to_writer(&mut self.steps, step).map_err(std::io::Error::from)?;
        Ok(self.steps.write_all(b"\n")?)
    }

    fn check_conflict(&self, making: &FileToWrite) -> Result<(), OutputError> {
        match (self.conflict, making.sources.as_slice()) {
            (OutputConflict::Error, [first, second, ..]) => Err(OutputError::Conflict {
                path: making.path.clone(),
                first: first.index,
                first_input: String::new(),
                second: second.index,
                second_input: String::new(),
            }),
            (OutputConflict::Error | OutputConflict::Concat, _) => Ok(()),
        }
    }

    fn check_clash(&mut self, path: &str, owner: Owner) -> Result<(), OutputError> {
        let Some((file, owner_of_file)) = self.clashes.note(path, owner) else {
            return Ok(());
        };
        let file = file.to_owned();
        match (owner_of_file, owner) {
            (Owner::Drover, Owner::Drover) => Err(OutputError::Clash {
                file,
                path: path.to_owned(),
            }),
            (Owner::Foreign, Owner::Drover) => Err(self.in_the_way(&file)?),
            (Owner::Drover, Owner::Foreign) => Err(self.in_the_way(path)?),
            (Owner::Foreign, Owner::Foreign) => Ok(()),
        }
    }

    fn in_the_way(&self, path: &str) -> Result<OutputError, OutputError> {
        Ok(OutputError::InTheWay {
            path: super::key_of(self.folder.key, path)?,
            kind: "",
        })
    }

    fn finish(self) -> Result<Plan, OutputError> {
        let steps = self
            .steps
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        Ok(Plan {
            steps,
            before: self.before.finish()?,
            files: self.files,
            changes: self.changes,
            has_news: self.has_news,
            foreign: self.foreign,
            altered: self.altered,
        })
    }
}

/// Counts a path; the first one is kept.
fn count(paths: &mut Option<(u64, String)>, path: &str) {
    paths.get_or_insert_with(|| (0, path.to_owned())).0 += 1;
}

/// Versions of the pieces of a recorded file.
fn known_versions(recorded: RecordedFile) -> Vec<String> {
    if recorded.pieces.is_empty() {
        recorded.version.into_iter().collect()
    } else {
        recorded.pieces
    }
}

/// Record of a path about to change, whose file may be missing, partial or new.
fn about_to_change(path: &str) -> RecordedFile {
    RecordedFile {
        path: path.to_owned(),
        made_of: String::new(),
        version: None,
        pieces: Vec::new(),
    }
}
