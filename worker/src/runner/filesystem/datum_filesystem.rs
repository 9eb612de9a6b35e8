//! The file system of one slot, from datum to datum.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::copied_inputs::CopiedInputs;
use super::mounted_inputs::MountedInputs;
use super::next_datum_directory::{NEXT_DATUM_DIRECTORY, NextDatumDirectory};
use super::pfs_links;
use super::slot_scratch::{PFS, SlotScratch};
use super::target_check;
use crate::runner::identity::Identity;
use crate::runner::order::{Inputs, Mount, MountKind};
use crate::runner::settings::{RunnerSettings, Sandbox};
use crate::runner::start_error::StartError;

/// Removes links from the machine's `/pfs` that the slot with this scratch directory made, or a slot that is gone.
pub(in crate::runner) fn remove_links(scratch: &Path) {
    pfs_links::remove_leftovers(Path::new(PFS), scratch);
}

/// File system of the commands of a slot.
pub(in crate::runner) struct DatumFilesystem {
    scratch: SlotScratch,
    view: InputView,
    datum: Vec<Mount>,
    owner: Option<Identity>,
    /// Place of `next-datum`, while a batch command runs.
    next_datum_directory: Option<NextDatumDirectory>,
}

/// How a datum is shown its inputs.
enum InputView {
    Mounted(Box<MountedInputs>),
    Copied(CopiedInputs),
}

impl InputView {
    fn host_entries_in_tmp(&self) -> &[PathBuf] {
        match self {
            Self::Mounted(mounted) => mounted.host_entries_in_tmp(),
            Self::Copied(_) => &[],
        }
    }
}

/// A FIFO and its source.
pub(in crate::runner) struct Fifo {
    /// Path for readers.
    pub(in crate::runner) seen_at: PathBuf,
    /// Second name, for the runner.
    pub(in crate::runner) hidden_at: PathBuf,
    /// The file with the bytes.
    pub(in crate::runner) source: PathBuf,
}

impl DatumFilesystem {
    /// Creates the directories and mounts that stay from datum to datum.
    pub(in crate::runner) fn set_up(
        sandbox: Sandbox,
        settings: &RunnerSettings,
    ) -> Result<Self, String> {
        let scratch = SlotScratch::create(&settings.scratch)?;
        let view = match sandbox {
            Sandbox::Namespaces | Sandbox::Mounts => InputView::Mounted(Box::new(
                MountedInputs::set_up(&scratch, sandbox, settings)?,
            )),
            Sandbox::Links => InputView::Copied(CopiedInputs::linked_at(Path::new(PFS), &scratch)?),
            Sandbox::Environment => {
                remove_links(&settings.scratch);
                InputView::Copied(CopiedInputs::in_scratch(&scratch))
            }
        };
        Ok(Self {
            scratch,
            view,
            datum: Vec::new(),
            owner: None,
            next_datum_directory: None,
        })
    }

    /// Directories of scratch that commands use directly.
    pub(in crate::runner) fn command_directories(&self) -> Vec<PathBuf> {
        let directories = [self.scratch.out.path(), self.scratch.tmp.path()];
        let copies = match &self.view {
            InputView::Mounted(_) => None,
            InputView::Copied(copied) => Some(copied.copies().to_owned()),
        };
        directories
            .into_iter()
            .map(Path::to_owned)
            .chain(copies)
            .collect()
    }

    /// Path of the inputs and `out`, as the command sees it.
    pub(in crate::runner) fn pfs(&self) -> &Path {
        match &self.view {
            InputView::Mounted(_) => Path::new(PFS),
            InputView::Copied(copied) => copied.pfs(),
        }
    }

    /// Path of the private temporary directory, as the command sees it.
    pub(in crate::runner) fn tmp(&self) -> &Path {
        match &self.view {
            InputView::Mounted(mounted) if mounted.has_private_tmp() => {
                Path::new(super::mount_namespace::TMP)
            }
            InputView::Mounted(_) | InputView::Copied(_) => self.scratch.tmp.path(),
        }
    }

    /// How the current process reaches `path` of the machine while a private `/tmp` is mounted.
    pub(in crate::runner) fn reach<'a>(&self, path: &'a Path) -> Cow<'a, Path> {
        match &self.view {
            InputView::Mounted(mounted) => mounted.reach(path),
            InputView::Copied(_) => Cow::Borrowed(path),
        }
    }

    /// Prepares an attempt: its inputs, an empty `out` and, for a new datum, an empty `/tmp`, both owned by
    /// `identity`.
    pub(in crate::runner) fn prepare(
        &mut self,
        inputs: &Inputs,
        identity: Option<Identity>,
    ) -> Result<(), StartError> {
        self.clear().map_err(StartError::Slot)?;
        self.make_ready(inputs, identity)?;
        self.show(inputs)
    }

    /// Removes `/pfs` and, for a new datum, the contents of `/tmp`.
    pub(in crate::runner) fn hide(
        &mut self,
        inputs: &Inputs,
        identity: Option<Identity>,
    ) -> Result<(), StartError> {
        if let InputView::Mounted(mounted) = &mut self.view {
            mounted.dismantle().map_err(StartError::Slot)?;
        }
        self.clear().map_err(StartError::Slot)?;
        self.make_ready(inputs, identity)
    }

    /// Empties `/tmp` for a new datum and sets the owner.
    fn make_ready(
        &mut self,
        inputs: &Inputs,
        identity: Option<Identity>,
    ) -> Result<(), StartError> {
        if let Inputs::Fresh(_) = inputs {
            let kept = self.view.host_entries_in_tmp();
            self.scratch.tmp.empty(kept).map_err(StartError::Slot)?;
            if let InputView::Mounted(mounted) = &mut self.view {
                mounted.empty_shared_memory().map_err(StartError::Slot)?;
            }
        }
        self.hand_over(identity).map_err(StartError::Order)
    }

    /// False if `out` is certainly empty.
    pub(in crate::runner) fn has_output(&mut self) -> bool {
        !self.scratch.out.is_empty()
    }

    /// As [`has_output`](Self::has_output), for a command whose processes have all ended.
    pub(in crate::runner) fn has_output_left(&mut self) -> bool {
        !self.scratch.out.check_left_empty()
    }

    /// Prepares the next datum of a batch command: its inputs, an empty `out`, and `variables` as `.env`.
    pub(in crate::runner) fn show_batch(
        &mut self,
        inputs: &Inputs,
        variables: &str,
    ) -> Result<(), StartError> {
        self.clear().map_err(StartError::Slot)?;
        self.show(inputs)?;
        let written = match &mut self.view {
            InputView::Mounted(mounted) => mounted.write_env(variables),
            InputView::Copied(copied) => copied.write_env(variables),
        };
        written.map_err(|error| {
            StartError::Slot(format!(
                "{}/.env cannot be written: {error}",
                self.pfs().display()
            ))
        })
    }

    fn show(&mut self, inputs: &Inputs) -> Result<(), StartError> {
        if let Inputs::Fresh(mounts) = inputs {
            self.datum.clone_from(mounts);
        }
        target_check::check(&self.datum).map_err(StartError::Order)?;
        match &mut self.view {
            InputView::Mounted(mounted) => mounted.build(&self.datum),
            InputView::Copied(copied) => copied.build(&self.datum),
        }
    }

    /// Provides a batch command with `next-datum`, and returns the directory.
    pub(in crate::runner) fn provide_next_datum(&mut self) -> Result<PathBuf, String> {
        let next_datum_directory = match &self.view {
            InputView::Mounted(mounted) => NextDatumDirectory::mounted(self.tmp(), mounted),
            InputView::Copied(_) => NextDatumDirectory::linked(self.tmp()),
        };
        let directory = self.tmp().join(NEXT_DATUM_DIRECTORY);
        let provided = next_datum_directory.map_err(|error| {
            format!(
                "next-datum cannot be provided in {}: {error}",
                directory.display()
            )
        });
        self.next_datum_directory = Some(provided?);
        Ok(directory)
    }

    /// Undoes [`provide_next_datum`](Self::provide_next_datum).
    pub(in crate::runner) fn withdraw_next_datum(&mut self) {
        self.next_datum_directory = None;
    }

    /// Removes the inputs and the output of the last attempt.
    fn clear(&mut self) -> Result<(), String> {
        match &mut self.view {
            InputView::Mounted(mounted) => mounted.discard()?,
            InputView::Copied(copied) => copied.discard()?,
        }
        self.scratch.out.empty(&[])
    }

    /// Entries of `/tmp` that belong to the machine.
    pub(in crate::runner) fn host_entries_in_tmp(&self) -> &[PathBuf] {
        self.view.host_entries_in_tmp()
    }

    /// Gives `out` and `/tmp` to the user of the command.
    fn hand_over(&mut self, identity: Option<Identity>) -> Result<(), String> {
        if identity != self.owner {
            self.scratch.out.hand_over(identity)?;
            self.scratch.tmp.hand_over(identity)?;
            self.owner = identity;
        }
        Ok(())
    }

    /// The FIFOs among the inputs, to be filled by the runner.
    pub(in crate::runner) fn fifos(&self) -> Vec<Fifo> {
        let (seen, hidden) = match &self.view {
            InputView::Mounted(mounted) => (Path::new(PFS), mounted.hidden()),
            InputView::Copied(copied) => (copied.copies(), copied.hidden().to_owned()),
        };
        let fifos = self
            .datum
            .iter()
            .filter(|mount| mount.kind == MountKind::Fifo)
            .enumerate();
        fifos
            .map(|(number, mount)| Fifo {
                seen_at: seen.join(&mount.target),
                hidden_at: hidden.join(number.to_string()),
                source: self.reach(&mount.source).into_owned(),
            })
            .collect()
    }
}
