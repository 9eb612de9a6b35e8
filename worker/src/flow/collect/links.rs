//! Links in the output. They are followed as the command sees them, inside the datum's own directories only, and stored
//! as the files that they lead to.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, ioctl_ficlone};

use super::file::{OutputFile, OutputSource};
use super::listing::special;
use super::refusal::refused;
use crate::flow_error::{FlowError, InfrastructureError};
use crate::runner::{Mount, MountKind, Runner};

/// The longest chain of links, as in the kernel.
const MOST_HOPS: usize = 40;

/// The number of files that one link may add to an output: nested links to directories multiply.
const MOST_FILES: usize = 1_000_000;

/// Resolves links in the file system as the command of a datum sees it, limited to the datum's own directories.
pub(super) struct LinkResolver<'a> {
    runner: &'a Runner,
    mounts: &'a [Mount],
    out: PathBuf,
}

/// The target of a link.
enum Target {
    File(PathBuf),
    /// An input that is shown as an empty file, by the file with its content.
    Hidden(PathBuf),
    /// A directory of the local machine.
    Directory(PathBuf),
    /// A directory that exists in the sandbox only, above inputs; with the names in it.
    Frame(Vec<OsString>),
}

impl<'a> LinkResolver<'a> {
    pub(super) fn new(runner: &'a Runner, mounts: &'a [Mount]) -> Self {
        Self {
            runner,
            mounts,
            out: runner.pfs().join("out"),
        }
    }

    /// The output files that the link at `path` below the output directory stands for.
    pub(super) fn files_behind(&self, path: &str) -> Result<Vec<OutputFile>, FlowError> {
        let mut found = Vec::new();
        self.add(path, &self.out.join(path), &mut Vec::new(), &mut found)?;
        Ok(found)
    }

    /// Adds the files at `inside` to the output as `path`. `above` are the enclosing directories, to detect loops.
    fn add(
        &self,
        path: &str,
        inside: &Path,
        above: &mut Vec<PathBuf>,
        found: &mut Vec<OutputFile>,
    ) -> Result<(), FlowError> {
        let real = self.resolve(path, inside)?;
        let names = match self.target(path, &real)? {
            Target::File(source) => return add_file(path, OutputSource::Linked(source), found),
            Target::Hidden(source) => return add_file(path, OutputSource::Hidden(source), found),
            Target::Directory(host) => names(&host).map_err(InfrastructureError::scratch(&host))?,
            Target::Frame(names) => names,
        };
        if above.contains(&real) {
            return Err(refused(
                path,
                "it is a link to a directory that contains it",
            ));
        }
        above.push(real.clone());
        for name in names {
            let Some(text) = name.to_str() else {
                let lossy = format!("{path}/{}", name.to_string_lossy());
                return Err(refused(
                    &lossy,
                    "its name is not valid Unicode, so it cannot be stored; rename the file",
                ));
            };
            self.add(&format!("{path}/{text}"), &real.join(&name), above, found)?;
        }
        above.pop();
        Ok(())
    }

    /// The path with all links resolved.
    fn resolve(&self, path: &str, inside: &Path) -> Result<PathBuf, FlowError> {
        let mut hops = 0;
        let mut real = PathBuf::from("/");
        let mut ahead: VecDeque<OsString> = steps(inside).collect();
        while let Some(step) = ahead.pop_front() {
            match step.to_str() {
                Some("/") => real = PathBuf::from("/"),
                Some("..") => {
                    real.pop();
                }
                _ => real.push(step),
            }
            let Some(link) = self.link_at(path, &real)? else {
                continue;
            };
            hops += 1;
            if hops > MOST_HOPS {
                return Err(refused(path, "it is a link in a loop"));
            }
            real.pop();
            for step in steps(&link).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(step);
            }
        }
        Ok(real)
    }

    /// The target of the link at `real`; none if it is no link, or outside the datum's own directories.
    fn link_at(&self, path: &str, real: &Path) -> Result<Option<PathBuf>, FlowError> {
        let Some(host) = self.runner.resolve(real) else {
            return Ok(None);
        };
        match fs::symlink_metadata(&host) {
            Ok(metadata) if metadata.is_symlink() => {
                let link = fs::read_link(&host).map_err(InfrastructureError::scratch(&host))?;
                Ok(Some(link))
            }
            Ok(_) => Ok(None),
            Err(error) => Err(unreachable_target(path, real, &host, error)),
        }
    }

    fn target(&self, path: &str, real: &Path) -> Result<Target, FlowError> {
        if let Some(source) = self.hidden(real) {
            return Ok(Target::Hidden(source));
        }
        if let Some(host) = self.runner.resolve(real) {
            return match fs::symlink_metadata(&host) {
                Ok(metadata) if metadata.is_file() => Ok(Target::File(host)),
                Ok(metadata) if metadata.is_dir() => Ok(Target::Directory(host)),
                Ok(metadata) => Err(refused(path, special(kind(&metadata)))),
                Err(error) => Err(unreachable_target(path, real, &host, error)),
            };
        }
        let names = self.frame(real);
        if names.is_empty() {
            let real = real.display();
            let problem = format!(
                "it is a link that leads to {real}, outside the datum's own directories; write a copy instead"
            );
            return Err(refused(path, &problem));
        }
        Ok(Target::Frame(names))
    }

    /// The file with the content of an input that is shown as an empty file, if `real` is one.
    fn hidden(&self, real: &Path) -> Option<PathBuf> {
        let input = real.strip_prefix(self.runner.pfs()).ok()?;
        let empty = |mount: &&Mount| mount.kind == MountKind::Empty && mount.target == input;
        Some(self.mounts.iter().find(empty)?.source.clone())
    }

    /// The names in a directory that exists only because inputs lie below it.
    fn frame(&self, real: &Path) -> Vec<OsString> {
        // `/pfs` contains `out`, and thus the link.
        let Ok(directory) = real.strip_prefix(self.runner.pfs()) else {
            return Vec::new();
        };
        if directory.as_os_str().is_empty() {
            return Vec::new();
        }
        let below = self
            .mounts
            .iter()
            .filter_map(|mount| mount.target.strip_prefix(directory).ok());
        let mut names: Vec<OsString> = below
            .filter_map(|below| Some(below.iter().next()?.to_owned()))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn add_file(
    path: &str,
    source: OutputSource,
    found: &mut Vec<OutputFile>,
) -> Result<(), FlowError> {
    if found.len() >= MOST_FILES {
        return Err(refused(
            path,
            "its links stand for more than a million files",
        ));
    }
    let path = path.to_owned();
    found.push(OutputFile { path, source });
    Ok(())
}

/// The components of a path, without `.`.
fn steps(path: &Path) -> impl Iterator<Item = OsString> {
    path.components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| component.as_os_str().to_owned())
}

fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}

fn kind(metadata: &Metadata) -> FileType {
    let kind = metadata.file_type();
    match () {
        () if kind.is_fifo() => FileType::Fifo,
        () if kind.is_socket() => FileType::Socket,
        () if kind.is_char_device() => FileType::CharacterDevice,
        () if kind.is_block_device() => FileType::BlockDevice,
        () => FileType::Unknown,
    }
}

fn unreachable_target(path: &str, real: &Path, host: &Path, error: io::Error) -> FlowError {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let problem = match error.kind() {
        NotFound | NotADirectory => "which does not exist",
        PermissionDenied => "which may not be read",
        _ => return InfrastructureError::scratch(host)(error),
    };
    refused(
        path,
        &format!("it is a link that leads to {}, {problem}", real.display()),
    )
}

/// Makes `place` a file with the content of `source`. A hard link is made only to a file that nobody else has a name for:
/// it is `ours` if it lies in the datum's own directories and the command has ended. Any other file is cloned or copied, so
/// that nobody who writes to it changes the output.
pub(super) fn duplicate(source: &Path, place: &Path, ours: bool) -> io::Result<()> {
    let mut from = File::open(source)?;
    let alone = ours && from.metadata()?.nlink() == 1;
    if alone && fs::hard_link(source, place).is_ok() {
        return Ok(());
    }
    copy(&mut from, place)
}

/// Replaces the file at `place` by a file with a single name, if the command gave the file other names.
pub(super) fn unshare(place: &Path) -> io::Result<()> {
    let mut beside = place.as_os_str().to_owned();
    beside.push(".whole");
    copy(&mut File::open(place)?, Path::new(&beside))?;
    fs::rename(beside, place)
}

/// Copies a file to `place`; the copy shares the blocks if the file system supports that.
pub(super) fn copy(from: &mut File, place: &Path) -> io::Result<()> {
    let mut to = File::create_new(place)?;
    if ioctl_ficlone(&to, &from).is_err() {
        io::copy(from, &mut to)?;
    }
    Ok(())
}
