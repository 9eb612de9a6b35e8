//! `drover put`: copies files into the store, from the local machine or from standard input.

use std::io::IsTerminal;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use drover_shared::ledger::Ledger;
use drover_shared::store::layout::DROVER_FOLDER;
use drover_shared::store::{Store, StoreKey};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::archive;
use crate::args::{Format, Put};
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render::{bytes, counted};

/// Unpacked files that wait for their upload.
const WAITING: usize = 4;

/// The place that files are put to.
struct PutTarget {
    key: StoreKey,
    /// True if `key` is a folder, which a slash at the end says.
    is_folder: bool,
    /// The output folders of the pipelines in the store.
    outputs: Vec<String>,
}

/// Files that were put.
#[derive(Default)]
struct PutCount {
    files: u64,
    bytes: u64,
}

pub(crate) async fn put(typed: &Put, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let target = PutTarget::find(&typed.to, &ledger).await?;
    let store = ledger.store();
    let mut count = PutCount::default();
    let done = match (typed.files.is_empty(), target.is_folder) {
        (false, _) => from_files(&typed.files, &target, store, &mut count).await,
        (true, true) => from_archive(&target, store, &mut count).await,
        (true, false) => from_stdin(&target, store, &mut count).await,
    };
    done.with_context(|| match count.files {
        0 => "nothing was put into the store".to_owned(),
        files => format!("only {} were put into the store", counted(files, "file")),
    })?;
    print(&count, &target, context)?;
    Ok(Exit::Success)
}

impl PutTarget {
    async fn find(text: &str, ledger: &Ledger) -> anyhow::Result<Self> {
        let is_folder = text.ends_with('/') || text.is_empty() || text == ".";
        let path = text.trim_start_matches("./").trim_end_matches('/');
        let key = if path == "." { "" } else { path }.parse()?;
        let names = ledger.pipelines().await?;
        let outputs = names.iter().map(ToString::to_string).collect();
        Ok(Self {
            key,
            is_folder,
            outputs,
        })
    }

    /// The key of a file with a relative path below the folder, or of the only file.
    fn key_of(&self, path: &str) -> anyhow::Result<StoreKey> {
        let key = if self.is_folder {
            self.key.join(path)?
        } else {
            self.key.clone()
        };
        let problem = match key.top() {
            DROVER_FOLDER => "holds Drover's own records; choose another folder".to_owned(),
            top if key.as_str() == top => {
                "lies in no folder; inputs are folders of the store, so write for example books/a.txt".to_owned()
            }
            top if self.outputs.iter().any(|output| output == top) => format!(
                "lies in the output folder of the pipeline {top}, which only its jobs write; choose another folder"
            ),
            _ => return Ok(key),
        };
        Err(UsageError::place(&key, problem))
    }
}

/// Copies files, and all files below directories.
async fn from_files(
    sources: &[PathBuf],
    target: &PutTarget,
    store: &Store,
    count: &mut PutCount,
) -> anyhow::Result<()> {
    let is_one_file = matches!(sources, [one] if !one.is_dir());
    if !target.is_folder && !is_one_file {
        return Err(UsageError::place(
            &target.key,
            "names one file; write a slash after it for several files or a directory",
        ));
    }
    for source in sources {
        let files = files_of(source)?;
        for (file, path) in files {
            let key = target.key_of(&path)?;
            let size = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
            store.upload(&file, &key).await?;
            count.add(size);
        }
    }
    Ok(())
}

/// The files of a source, each with its path in the target folder: the name of a file, or the path below a directory.
fn files_of(source: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let cannot_read = || format!("cannot read {}", source.display());
    let metadata = std::fs::metadata(source).with_context(cannot_read)?;
    let mut found = Vec::new();
    if !metadata.is_dir() {
        let name = source.file_name().map_or(source, Path::new);
        found.push((source.to_owned(), text_of(name)?));
        return Ok(found);
    }
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(cannot_read)? {
            let path = entry.with_context(cannot_read)?.path();
            let metadata = std::fs::metadata(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let below = text_of(path.strip_prefix(source).unwrap_or(&path))?;
            found.push((path, below));
        }
    }
    found.sort();
    Ok(found)
}

/// Copies standard input to one file.
async fn from_stdin(target: &PutTarget, store: &Store, count: &mut PutCount) -> anyhow::Result<()> {
    let key = target.key_of("")?;
    refuse_terminal()?;
    let spooling = spawn_blocking(|| archive::spool(&mut std::io::stdin().lock()));
    let (file, size) = spooling.await?.context("cannot read standard input")?;
    store.upload(file.path(), &key).await?;
    count.add(size);
    Ok(())
}

/// Unpacks standard input, a tar archive, into a folder. Up to six unpacked files lie in the temporary folder at a time.
async fn from_archive(
    target: &PutTarget,
    store: &Store,
    count: &mut PutCount,
) -> anyhow::Result<()> {
    refuse_terminal()?;
    let (unpacked, mut files) = mpsc::channel(WAITING);
    let unpacking = spawn_blocking(move || {
        let mut stdin = std::io::stdin().lock();
        archive::unpack(&mut stdin, |file| unpacked.blocking_send(file).is_ok())
    });
    while let Some(archive::UnpackedFile { path, size, file }) = files.recv().await {
        let key = target.key_of(&text_of(&path)?)?;
        store.upload(file.path(), &key).await?;
        count.add(size);
    }
    unpacking.await?
}

fn refuse_terminal() -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let problem = "is the terminal; name files, or pipe one in: tar -c . | drover put books/";
    Err(refusal(Path::new("standard input"), problem))
}

/// A relative path as text, without `.`.
fn text_of(path: &Path) -> anyhow::Result<String> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(
                name.to_str()
                    .ok_or_else(|| refusal(path, "is not UTF-8; rename the file"))?,
            ),
            Component::CurDir => {}
            _ => {
                return Err(refusal(
                    path,
                    "leads out of the folder; write a relative path without `..`",
                ));
            }
        }
    }
    Ok(names.join("/"))
}

fn refusal(path: &Path, problem: &str) -> anyhow::Error {
    UsageError::place(&path.display(), problem)
}

impl PutCount {
    fn add(&mut self, size: u64) {
        self.files += 1;
        self.bytes += size;
    }
}

fn print(count: &PutCount, target: &PutTarget, context: &Context) -> anyhow::Result<()> {
    match context.console.format {
        Format::Json => {
            let mut out = context.console.data();
            out.json(&json!({
                "to": target.key.as_str(), "files": count.files, "bytes": count.bytes,
            }))?;
            Ok(out.finish()?)
        }
        Format::Text => {
            let (files, size) = (counted(count.files, "file"), bytes(count.bytes));
            context
                .console
                .message(format!("put {files} ({size}) into {}", target.key));
            Ok(())
        }
    }
}
