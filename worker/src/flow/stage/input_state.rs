//! The inputs in folders are looked at again after the command: an attempt counts only if its inputs stayed as they were.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use drover_shared::datum::DatumInput;
use drover_shared::store::FileAttributes;
use tokio::task::spawn_blocking;

use super::content;
use super::plain_directory::PlainDirectory;
use crate::jobs::InputLeaf;

/// An input in a folder, with the state of its files before the command.
#[derive(Clone, Debug)]
pub(super) struct InputState {
    pub(super) input: Arc<DatumInput>,
    pub(super) leaf: InputLeaf,
    pub(super) files: ShownFiles,
}

/// The files of an input as they are shown to the command.
#[derive(Clone, Debug)]
pub(super) enum ShownFiles {
    /// One by one.
    Each(Vec<(PathBuf, FileAttributes)>),
    /// A whole directory, with a hash over the states of its files.
    Directory {
        path: PathBuf,
        root: FileAttributes,
        files: String,
    },
}

/// The result of a second look at the inputs.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::flow) enum InputCheck {
    /// Nothing changed.
    Unchanged,
    /// The files of the named input changed and have the listed content again. The attempt may have seen another one.
    Touched(String),
    /// The named input is no longer the listed one.
    Changed(String),
}

impl InputState {
    /// Looks at the files again, and remembers their state for the next look.
    pub(super) async fn check(&mut self) -> InputCheck {
        // A `stat` costs less than the hand-over to another thread.
        if let ShownFiles::Each(files) = &self.files
            && files.len() == 1
            && self.files.now().is_ok_and(|now| now.is(&self.files))
        {
            return InputCheck::Unchanged;
        }
        let mut state = self.clone();
        let checked = spawn_blocking(move || {
            let check = state.look_again();
            (state, check)
        });
        let checked = checked.await;
        let (state, check) =
            checked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        *self = state;
        check
    }

    /// Blocking.
    fn look_again(&mut self) -> InputCheck {
        let name = format!("{}{}", self.input.repo, self.input.path);
        let Ok(now) = self.files.now() else {
            return InputCheck::Changed(name);
        };
        if now.is(&self.files) {
            return InputCheck::Unchanged;
        }
        let shown = now.is_shown_like(&self.files);
        self.files = now;
        let is_listed = shown
            && content::tag(&self.input, &self.leaf).is_ok_and(|content| content == self.input.tag)
            // Unless the content changed while it was read.
            && self.files.now().is_ok_and(|now| now.is(&self.files));
        if is_listed {
            InputCheck::Touched(name)
        } else {
            InputCheck::Changed(name)
        }
    }
}

impl ShownFiles {
    /// The state of the same files now.
    fn now(&self) -> io::Result<Self> {
        match self {
            Self::Each(files) => {
                let now = files.iter().map(|(path, _)| {
                    let metadata = fs::symlink_metadata(path)?;
                    Ok((path.clone(), FileAttributes::of(&metadata)))
                });
                now.collect::<io::Result<_>>().map(Self::Each)
            }
            Self::Directory { path, .. } => Self::directory(path.clone())?
                .ok_or_else(|| io::Error::other("there is a link in it now")),
        }
    }

    /// The state of a directory; none if it holds anything but files and directories.
    pub(super) fn directory(path: PathBuf) -> io::Result<Option<Self>> {
        let listed = PlainDirectory::list(&path)?;
        Ok(listed.map(|directory| {
            let (root, files) = directory.state();
            Self::Directory { path, root, files }
        }))
    }

    /// True if both are the same state.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Each(one), Self::Each(other)) => one == other,
            (
                Self::Directory {
                    files: one, root, ..
                },
                Self::Directory {
                    files: other,
                    root: before,
                    ..
                },
            ) => one == other && root.is_same_file(before),
            _ => false,
        }
    }

    /// True if mounts of `other` show the same files.
    fn is_shown_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Each(one), Self::Each(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(other)
                        .all(|((_, one), (_, other))| one.is_same_file(other))
            }
            (Self::Directory { root: one, .. }, Self::Directory { root: other, .. }) => {
                one.is_same_file(other)
            }
            _ => false,
        }
    }
}
