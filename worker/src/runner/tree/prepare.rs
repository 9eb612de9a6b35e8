//! The tree of one slot, from datum to datum.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::asking::{ASKING, Asking};
use super::copied::Copied;
use super::mounted::Mounted;
use super::scratch::Scratch;
use super::target;
use crate::runner::command::{Fifo, Identity};
use crate::runner::hindrance::Hindrance;
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
    /// Where a command asks for its next datum, when one stays.
    asking: Option<Asking>,
}

/// The ways to show a datum its inputs.
enum Shown {
    Mounted(Box<Mounted>),
    Copied(Copied),
}

impl Shown {
    fn kept_in_tmp(&self) -> &[PathBuf] {
        match self {
            Self::Mounted(mounted) => mounted.kept_in_tmp(),
            Self::Copied(_) => &[],
        }
    }
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
            asking: None,
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
            Shown::Mounted(_) | Shown::Copied(_) => self.scratch.tmp.path(),
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
    ) -> Result<(), Hindrance> {
        self.clear().map_err(Hindrance::Slot)?;
        self.make_ready(inputs, identity)?;
        self.show(inputs)
    }

    /// Takes all of `/pfs` away and, for a new datum, what the last one left in `/tmp`.
    pub(in crate::runner) fn hide(
        &mut self,
        inputs: &Inputs,
        identity: Option<Identity>,
    ) -> Result<(), Hindrance> {
        if let Shown::Mounted(mounted) = &mut self.shown {
            mounted.dismantle().map_err(Hindrance::Slot)?;
        }
        self.clear().map_err(Hindrance::Slot)?;
        self.make_ready(inputs, identity)
    }

    /// What a new datum finds in `/tmp`, and whose it is.
    fn make_ready(&mut self, inputs: &Inputs, identity: Option<Identity>) -> Result<(), Hindrance> {
        if let Inputs::Fresh(_) = inputs {
            let kept = self.shown.kept_in_tmp();
            self.scratch.tmp.empty(kept).map_err(Hindrance::Slot)?;
        }
        self.hand_over(identity).map_err(Hindrance::Order)
    }

    /// Whether there may be anything in `out`.
    pub(in crate::runner) fn has_output(&mut self) -> bool {
        !self.scratch.out.is_empty()
    }

    /// The same, after a command that is over with all that it started.
    pub(in crate::runner) fn has_output_left(&mut self) -> bool {
        !self.scratch.out.was_left_empty()
    }

    /// Shows a command that stays its next inputs, an empty `out`, and `variables` as `.env`.
    pub(in crate::runner) fn show_with(
        &mut self,
        inputs: &Inputs,
        variables: &str,
    ) -> Result<(), Hindrance> {
        self.clear().map_err(Hindrance::Slot)?;
        self.show(inputs)?;
        let written = match &mut self.shown {
            Shown::Mounted(mounted) => mounted.write_env(variables),
            Shown::Copied(copied) => copied.write_env(variables),
        };
        written.map_err(|error| {
            Hindrance::Slot(format!(
                "{}/.env cannot be written: {error}",
                self.pfs().display()
            ))
        })
    }

    fn show(&mut self, inputs: &Inputs) -> Result<(), Hindrance> {
        if let Inputs::Fresh(mounts) = inputs {
            self.datum.clone_from(mounts);
        }
        target::check(&self.datum).map_err(Hindrance::Order)?;
        match &mut self.shown {
            Shown::Mounted(mounted) => mounted.build(&self.datum),
            Shown::Copied(copied) => copied.build(&self.datum),
        }
    }

    /// Gives a command that stays the directory where it finds `next-datum`, and asks.
    pub(in crate::runner) fn provide_next_datum(&mut self) -> Result<PathBuf, String> {
        let asking = match &self.shown {
            Shown::Mounted(mounted) => Asking::mounted(self.tmp(), mounted),
            Shown::Copied(_) => Asking::linked(self.tmp()),
        };
        let directory = self.tmp().join(ASKING);
        let provided = asking.map_err(|error| {
            format!(
                "next-datum cannot be provided in {}: {error}",
                directory.display()
            )
        });
        self.asking = Some(provided?);
        Ok(directory)
    }

    /// Takes back what [`provide_next_datum`](Self::provide_next_datum) gave.
    pub(in crate::runner) fn withdraw_next_datum(&mut self) {
        self.asking = None;
    }

    /// Takes the last attempt's inputs and output away.
    fn clear(&mut self) -> Result<(), String> {
        match &mut self.shown {
            Shown::Mounted(mounted) => mounted.discard()?,
            Shown::Copied(copied) => copied.discard()?,
        }
        self.scratch.out.empty(&[])
    }

    /// What is in `/tmp` that is not the datum's.
    pub(in crate::runner) fn kept_in_tmp(&self) -> &[PathBuf] {
        self.shown.kept_in_tmp()
    }

    /// Makes `out` and `/tmp` belong to whom the command runs as.
    fn hand_over(&mut self, identity: Option<Identity>) -> Result<(), String> {
        if identity != self.owner {
            self.scratch.out.hand_over(identity)?;
            self.scratch.tmp.hand_over(identity)?;
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
