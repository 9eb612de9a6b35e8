//! Plans a publication: joins what is wanted, recorded and found, path by path. Touches nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use drover_shared::pipeline::OutputConflict;
use drover_shared::store::{Entry, StoreKey};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::PublicationError;
use super::clash::Clashes;
use super::decide::{Action, decide};
use super::join::{Join, Row};
use super::piece::{Source, Wanted};
use super::record::{RecordWriter, Recorded};

/// What is to happen to a path that is ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Nothing; it stays on record.
    Keep(Recorded),
    /// It is made anew.
    Write(Making),
    /// It is removed.
    Delete(String),
}

/// How a file is made.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Making {
    /// Its path.
    pub(super) path: String,
    /// What it is made of, in short.
    pub(super) made_of: String,
    /// The pieces, one after the other.
    pub(super) sources: Vec<Source>,
    /// The version found, if the same pieces lay there and somebody altered them.
    pub(super) altered: Option<String>,
}

/// All that is to be done, in a nameless scratch file, and the record to be put before it is begun.
#[derive(Debug)]
pub(super) struct Plan {
    steps: File,
    /// All that is ours now or may become so.
    pub(super) before: NamedTempFile,
    /// How many files of ours the folder will hold.
    pub(super) files: u64,
    /// How many files are to be written or removed.
    pub(super) changes: u64,
    /// Files found in the folder that are not ours: how many, and the first one.
    pub(super) foreign: Option<(u64, String)>,
}

impl Plan {
    /// The steps, in byte order of their paths.
    pub(super) fn steps(
        &self,
    ) -> std::io::Result<impl Iterator<Item = std::io::Result<Step>> + use<>> {
        let mut file = self.steps.try_clone()?;
        file.rewind()?;
        Ok(BufReader::new(file)
            .lines()
            .map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}

/// Plans from three streams sorted by path. `folder` is the output folder, for messages.
pub(super) fn plan<W, R, F>(
    mut rows: Join<W, R, F>,
    conflict: OutputConflict,
    folder: &StoreKey,
    scratch: &Path,
) -> Result<Plan, PublicationError>
where
    W: Iterator<Item = Result<Wanted, PublicationError>>,
    R: Iterator<Item = Result<Recorded, PublicationError>>,
    F: Iterator<Item = Result<Entry, PublicationError>>,
{
    let mut draft = Draft::new(conflict, folder, scratch)?;
    while let Some(row) = rows.next_row()? {
        draft.add(row)?;
    }
    draft.finish()
}

/// A plan being made.
struct Draft<'a> {
    conflict: OutputConflict,
    folder: &'a StoreKey,
    clashes: Clashes,
    steps: BufWriter<File>,
    before: RecordWriter,
    files: u64,
    changes: u64,
    foreign: Option<(u64, String)>,
}

impl<'a> Draft<'a> {
    fn new(
        conflict: OutputConflict,
        folder: &'a StoreKey,
        scratch: &Path,
    ) -> Result<Self, PublicationError> {
        Ok(Self {
            conflict,
            folder,
            clashes: Clashes::default(),
            steps: BufWriter::new(tempfile::tempfile_in(scratch)?),
            before: RecordWriter::new(scratch)?,
            files: 0,
            changes: 0,
            foreign: None,
        })
    }

    fn add(&mut self, row: Row) -> Result<(), PublicationError> {
        let made_of = row.wanted.as_ref().map(Wanted::made_of);
        match (
            decide(
                made_of.as_deref(),
                row.recorded.as_ref(),
                row.found.as_ref(),
            ),
            row,
        ) {
            (
                Action::Keep,
                Row {
                    recorded: Some(recorded),
                    ..
                },
            ) => self.keep(recorded),
            (
                Action::Write,
                Row {
                    wanted: Some(wanted),
                    recorded,
                    found,
                },
            ) => {
                let made_of = made_of.unwrap_or_default();
                let altered = recorded
                    .filter(|recorded| recorded.made_of == made_of && recorded.version.is_some());
                let altered = altered.and(found).map(|found| found.version);
                self.write(Making {
                    path: wanted.path,
                    made_of,
                    sources: wanted.sources,
                    altered,
                })
            }
            (
                Action::Delete,
                Row {
                    recorded: Some(recorded),
                    ..
                },
            ) => self.delete(recorded),
            (
                Action::Leave,
                Row {
                    found: Some(found), ..
                },
            ) => self.leave(found),
            (
                Action::Refuse,
                Row {
                    found: Some(found), ..
                },
            ) => Err(self.in_the_way(&found.path)?),
            (
                Action::Keep
                | Action::Write
                | Action::Delete
                | Action::Leave
                | Action::Refuse
                | Action::Forget,
                _,
            ) => Ok(()),
        }
    }

    fn keep(&mut self, recorded: Recorded) -> Result<(), PublicationError> {
        self.check_clash(&recorded.path)?;
        self.files += 1;
        self.before.write(&recorded)?;
        self.step(&Step::Keep(recorded))
    }

    fn write(&mut self, making: Making) -> Result<(), PublicationError> {
        self.check_conflict(&making)?;
        self.check_clash(&making.path)?;
        self.files += 1;
        self.changes += 1;
        self.before.write(&about_to_change(&making.path))?;
        self.step(&Step::Write(making))
    }

    fn delete(&mut self, recorded: Recorded) -> Result<(), PublicationError> {
        self.changes += 1;
        self.before.write(&about_to_change(&recorded.path))?;
        self.step(&Step::Delete(recorded.path))
    }

    fn leave(&mut self, found: Entry) -> Result<(), PublicationError> {
        self.check_clash(&found.path)?;
        self.foreign = match self.foreign.take() {
            Some((count, first)) => Some((count + 1, first)),
            None => Some((1, found.path)),
        };
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), PublicationError> {
        serde_json::to_writer(&mut self.steps, step).map_err(std::io::Error::from)?;
        Ok(self.steps.write_all(b"\n")?)
    }

    fn check_conflict(&self, making: &Making) -> Result<(), PublicationError> {
        match (self.conflict, making.sources.as_slice()) {
            (OutputConflict::Error, [first, second, ..]) => Err(PublicationError::Conflict {
                path: making.path.clone(),
                first: first.index,
                second: second.index,
            }),
            (OutputConflict::Error | OutputConflict::Concat, _) => Ok(()),
        }
    }

    fn check_clash(&mut self, path: &str) -> Result<(), PublicationError> {
        match self.clashes.note(path) {
            Some(file) => Err(PublicationError::Clash {
                file: file.to_owned(),
                path: path.to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn in_the_way(&self, path: &str) -> Result<PublicationError, PublicationError> {
        Ok(PublicationError::InTheWay {
            path: super::key_of(self.folder, path)?,
        })
    }

    fn finish(self) -> Result<Plan, PublicationError> {
        let steps = self
            .steps
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        Ok(Plan {
            steps,
            before: self.before.finish()?,
            files: self.files,
            changes: self.changes,
            foreign: self.foreign,
        })
    }
}

/// The record of a path whose file may be gone, half new or new.
fn about_to_change(path: &str) -> Recorded {
    Recorded {
        path: path.to_owned(),
        made_of: String::new(),
        version: None,
    }
}
