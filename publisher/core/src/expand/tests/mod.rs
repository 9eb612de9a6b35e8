//! What inputs expand to: vectors, laws, and real stores.

mod laws;
#[rustfmt::skip] // A row is a line.
mod rows;
mod stores;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use drover_shared::datum::{ContentTag, Datum, DatumInput, InputKind};
use drover_shared::glob::Template;
use drover_shared::pipeline::{Input, PfsInput, Pipeline};
use drover_shared::store::{Entry, StoreError};
use serde_json::json;

use super::{ExpandError, Listing, Listings, Selection, expand};

/// Repos in memory; the content of a file is its number among all files made.
#[derive(Clone, Default)]
struct Memory {
    repos: BTreeMap<String, BTreeMap<String, u64>>,
    /// Entries listed so far.
    listed: Arc<AtomicUsize>,
}

impl Memory {
    /// Files as `repo/path`, separated by white space.
    fn holding(files: &str) -> Self {
        Self::of(files.split_whitespace().map(str::to_owned))
    }

    /// Files as `repo/path`.
    fn of(files: impl IntoIterator<Item = String>) -> Self {
        let mut memory = Self::default();
        for (number, file) in (0..).zip(files) {
            let (repo, path) = file.split_once('/').expect("files are repo/path");
            let repo = memory.repos.entry(repo.to_owned()).or_default();
            repo.insert(format!("/{path}"), number);
        }
        memory
    }
}

impl Listings for Memory {
    fn list(&self, leaf: &PfsInput, _: &Selection) -> Result<Box<dyn Listing>, StoreError> {
        let files = self.repos.get(&leaf.repo).cloned().unwrap_or_default();
        Ok(Box::new(MemoryListing {
            files: files.into_iter(),
            tag: None,
            listed: self.listed.clone(),
        }))
    }
}

struct MemoryListing {
    files: std::collections::btree_map::IntoIter<String, u64>,
    tag: Option<ContentTag>,
    listed: Arc<AtomicUsize>,
}

impl Iterator for MemoryListing {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (path, number) = self.files.next()?;
        self.listed.fetch_add(1, Ordering::Relaxed);
        self.tag = Some(ContentTag::new(format!("content {number}")));
        Some(Ok(Entry {
            size: path.len() as u64,
            path,
            version: String::new(),
        }))
    }
}

impl Listing for MemoryListing {
    fn tag(&mut self, _: &Entry) -> Result<ContentTag, StoreError> {
        Ok(self.tag.take().expect("a tag is asked for once an entry"))
    }
}

/// A pfs leaf over a repo of the same name.
fn leaf(repo: &str, glob: &str) -> PfsInput {
    PfsInput {
        leaf: 0,
        name: repo.to_owned(),
        repo: repo.to_owned(),
        url: None,
        glob: glob.parse().unwrap_or_else(|error| panic!("{error}")),
        join_on: None,
        outer_join: false,
        group_by: None,
        lazy: false,
        empty_files: false,
        files_only: false,
        exclude: Vec::new(),
    }
}

fn pfs(repo: &str, glob: &str) -> Input {
    Input::Pfs(leaf(repo, glob))
}

fn named(name: &str, repo: &str, glob: &str) -> Input {
    Input::Pfs(PfsInput {
        name: name.to_owned(),
        ..leaf(repo, glob)
    })
}

fn on(repo: &str, glob: &str, join_on: &str) -> Input {
    Input::Pfs(PfsInput {
        join_on: Some(Template::new(join_on)),
        ..leaf(repo, glob)
    })
}

fn outer_on(repo: &str, glob: &str, join_on: &str) -> Input {
    Input::Pfs(PfsInput {
        join_on: Some(Template::new(join_on)),
        outer_join: true,
        ..leaf(repo, glob)
    })
}

fn by(repo: &str, glob: &str, group_by: &str) -> Input {
    Input::Pfs(PfsInput {
        group_by: Some(Template::new(group_by)),
        ..leaf(repo, glob)
    })
}

fn on_by(repo: &str, glob: &str, join_on: &str, group_by: &str) -> Input {
    let (join_on, group_by) = (Some(Template::new(join_on)), Some(Template::new(group_by)));
    Input::Pfs(PfsInput {
        join_on,
        group_by,
        ..leaf(repo, glob)
    })
}

fn without(repo: &str, glob: &str, exclude: &[&str]) -> Input {
    let exclude = exclude.iter().map(|glob| glob.parse().unwrap()).collect();
    Input::Pfs(PfsInput {
        exclude,
        ..leaf(repo, glob)
    })
}

fn files_only(repo: &str, glob: &str) -> Input {
    Input::Pfs(PfsInput {
        files_only: true,
        ..leaf(repo, glob)
    })
}

/// A pipeline with this input, its leaves numbered.
fn pipeline(mut input: Input) -> Pipeline {
    number(&mut input, &mut 0);
    let spec = json!({"pipeline": {"name": "test"}, "transform": {"cmd": ["true"]}, "input": {"pfs": {"repo": "in", "glob": "/*"}}});
    let plain = drover_shared::pipeline::from_value(&spec)
        .unwrap_or_else(|findings| panic!("{findings:?}"));
    Pipeline { input, ..plain }
}

fn number(input: &mut Input, next: &mut u16) {
    match input {
        Input::Pfs(leaf) => {
            leaf.leaf = *next;
            *next += 1;
        }
        Input::Cron(clock) => {
            clock.ticks.leaf = *next;
            *next += 1;
        }
        Input::Cross(children)
        | Input::Union(children)
        | Input::Join(children)
        | Input::Group(children) => {
            for child in children {
                number(child, next);
            }
        }
    }
}

fn datums(input: Input, memory: &Memory) -> Vec<Datum> {
    let datums: Result<Vec<Datum>, ExpandError> =
        expand(&pipeline(input), Arc::new(memory.clone()))
            .unwrap()
            .collect();
    datums.unwrap()
}

/// An input as `name/path`; directories end with a slash.
fn brief_input(input: &DatumInput) -> String {
    let slash = if input.kind == InputKind::Dir && input.path != "/" {
        "/"
    } else {
        ""
    };
    format!("{}{}{slash}", input.name, input.path)
}

/// A datum as its inputs, joined by `+`.
fn brief(datum: &Datum) -> String {
    datum
        .inputs
        .iter()
        .map(brief_input)
        .collect::<Vec<_>>()
        .join("+")
}

/// All datums, in order.
fn briefs(input: Input, memory: &Memory) -> Vec<String> {
    datums(input, memory).iter().map(brief).collect()
}
