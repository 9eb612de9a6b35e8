//! The source of datums: pfs leaves, and the operators that combine them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Schedule;
use crate::glob::{Glob, Template};

/// A node of the input tree.
#[derive(Clone, Debug)]
pub enum Input {
    /// Files or directories of one repo.
    Pfs(PfsInput),
    /// Ticks of a clock; only for registered pipelines.
    Cron(CronInput),
    /// Every combination of the children's datums.
    Cross(Vec<Input>),
    /// The children's datums, child after child.
    Union(Vec<Input>),
    /// Combinations with a common key.
    Join(Vec<Input>),
    /// A datum for each key.
    Group(Vec<Input>),
}

/// Files or directories of a repo that match a glob; each match is a datum.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the spec"
)]
pub struct PfsInput {
    /// The leaf's number in the spec, counted from 0 in the order written. An input of a datum
    /// refers to its leaf by the number.
    pub leaf: u16,
    /// The directory below `/pfs`.
    pub name: String,
    /// The folder of the store.
    pub repo: String,
    /// Explicit location of the repo, instead of `<store>/<repo>`.
    pub url: Option<String>,
    /// Which files or directories are datums.
    pub glob: Glob,
    /// The key for `join`; none means the empty key.
    pub join_on: Option<Template>,
    /// True if files without a partner stay in an outer join.
    pub outer_join: bool,
    /// The key for `group`; none means the empty key.
    pub group_by: Option<Template>,
    /// True if inputs are FIFOs, filled when they are opened.
    pub lazy: bool,
    /// True if inputs have names but no bytes.
    pub empty_files: bool,
    /// True if directories are left out as datums.
    pub files_only: bool,
    /// Files and directories left out, inside directory datums too.
    pub exclude: Vec<Glob>,
}

/// Ticks of a clock, each an empty file named after its time.
#[derive(Clone, Debug)]
pub struct CronInput {
    /// The ticks as files of a repo, `<pipeline>_<name>` by default: each file is a datum.
    pub ticks: PfsInput,
    /// The schedule.
    pub schedule: Schedule,
    /// Where the schedule begins; when the pipeline was created, by default.
    pub start: Option<Timestamp>,
    /// True if a tick replaces earlier ticks.
    pub overwrite: bool,
}

impl Input {
    /// All leaves below this node, in the order written.
    pub fn leaves(&self) -> Vec<&PfsInput> {
        match self {
            Input::Pfs(leaf) => vec![leaf],
            Input::Cron(clock) => vec![&clock.ticks],
            node => node.children().iter().flat_map(Input::leaves).collect(),
        }
    }

    /// Numbers of the leaves whose files a cross combines with others, so that each may be in many datums.
    pub fn crossed(&self) -> BTreeSet<u16> {
        match self {
            Input::Cross(children) if children.len() > 1 => {
                self.leaves().into_iter().map(|leaf| leaf.leaf).collect()
            }
            node => node.children().iter().flat_map(Input::crossed).collect(),
        }
    }

    /// All clocks below this node, in the order written.
    pub fn clocks(&self) -> Vec<&CronInput> {
        match self {
            Input::Cron(clock) => vec![clock],
            node => node.children().iter().flat_map(Input::clocks).collect(),
        }
    }

    fn children(&self) -> &[Input] {
        match self {
            Input::Pfs(_) | Input::Cron(_) => &[],
            Input::Cross(children)
            | Input::Union(children)
            | Input::Join(children)
            | Input::Group(children) => children,
        }
    }
}
