//! The tree of one slot, from datum to datum.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::copied::Copied;
use super::mounted::Mounted;
use super::scratch::Scratch;
use super::target;
use crate::runner::command::{Fifo, Identity};
use crate::runner::order::{Inputs, Mount, MountKind};
use crate::runner::settings::{RunnerSettings, Sandbox};

/// Where the command looks for its inputs, when that is not in scratch.
pub(super) const PFS: &str = "/pfs";

/// What the commands of a slot see.
pub(in crate::runner) struct Tree {
    scratch: Scratch,
    shown: Shown,
    datum: Vec<Mount>,
    owner: Option<Identity>,
}

/// The ways to show a datum its inputs.
enum Shown {
    Mounted(Box<Mounted>),
    Copied(Copied),
}

impl Tree {
    /// Makes the directories and mounts that stay from datum to datum.
    pub(in crate::runner) fn set_up(
        sandbox: Sandbox,
        settings: &RunnerSettings,
    ) -> Result<Self, String> {
        let scratch = Scratch::create(&settings.scratch)?;
        let shown = match sandbox {
            Sandbox::Namespaces | Sandbox::Mounts => {
                Shown::Mounted(Box::new(Mounted::set_up(&scratch, sandbox, settings)?))
            }
            Sandbox::Links => Shown::Copied(Copied::linked_at(Path::new(PFS), &scratch)?),
            Sandbox::Environment => Shown::Copied(Copied::in_scratch(&scratch)),
        };
        Ok(Self {
            scratch,
            shown,
            datum: Vec::new(),
            owner: None,
        })
    }

    /// Where the command sees its inputs and `out`.
    pub(in crate::runner) fn pfs(&self) -> &Path {
        match &self.shown {
            Shown::Mounted(_) => Path::new(PFS),
            Shown::Copied(copied) => copied.pfs(),
        }
    }

    /// Where the command has temporary files of its own.
    pub(in crate::runner) fn tmp(&self) -> &Path {
        match &self.shown {
            Shown::Mounted(mounted) if mounted.has_private_tmp() => Path::new(super::view::TMP),
            Shown::Mounted(_) | Shown::Copied(_) => self.scratch.tmp(),
        }
    }

    /// How this process reaches `path` of the machine, now that `/tmp` may be another one.
    pub(in crate::runner) fn reach<'a>(&self, path: &'a Path) -> Cow<'a, Path> {
        match &self.shown {
            Shown::Mounted(mounted) => mounted.reach(path),
            Shown::Copied(_) => Cow::Borrowed(path),
        }
    }

    /// Shows an attempt its inputs, an empty `out` and, to a new datum, an empty `/tmp`, both owned by `identity`.
    pub(in crate::runner) fn prepare(
        &mut self,
        inputs: &Inputs,
        identity: Option<Identity>,
    ) -> Result<(), String> {
        self.discard()?;
        let out = self.reach(self.scratch.out()).into_owned();
        Scratch::empty(&out, &[])?;
        if let Inputs::Fresh(mounts) = inputs {
            let tmp = self.reach(self.scratch.tmp()).into_owned();
            Scratch::empty(&tmp, self.kept_in_tmp())?;
            self.datum.clone_from(mounts);
        }
        self.hand_over(identity)?;
        target::check(&self.datum)?;
        match &mut self.shown {
            Shown::Mounted(mounted) => mounted.build(&self.datum),
            Shown::Copied(copied) => copied.build(&self.datum),
        }
    }

    /// Takes the last attempt's inputs away.
    fn discard(&mut self) -> Result<(), String> {
        match &mut self.shown {
            Shown::Mounted(mounted) => mounted.discard(),
            Shown::Copied(copied) => copied.discard(),
        }
    }

    /// What is in `/tmp` that is not the datum's.
    pub(in crate::runner) fn kept_in_tmp(&self) -> &[PathBuf] {
        match &self.shown {
            Shown::Mounted(mounted) => mounted.kept_in_tmp(),
            Shown::Copied(_) => &[],
        }
    }

    /// Makes `out` and `/tmp` belong to whom the command runs as.
    fn hand_over(&mut self, identity: Option<Identity>) -> Result<(), String> {
        if identity != self.owner {
            for directory in [self.scratch.out(), self.scratch.tmp()] {
                Scratch::hand_over(&self.reach(directory), identity)?;
            }
            self.owner = identity;
        }
        Ok(())
    }

    /// The FIFOs that are shown, in need of somebody to fill them.
    pub(in crate::runner) fn fifos(&self) -> Vec<Fifo> {
        let (seen, hidden) = match &self.shown {
            Shown::Mounted(mounted) => (Path::new(PFS), mounted.hidden()),
            Shown::Copied(copied) => (copied.copies(), copied.hidden().to_owned()),
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
