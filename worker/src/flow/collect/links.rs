//! Links in the output: followed as the command would have seen them, inside the datum's own directories only, and
//! stored as the files they lead to.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, ioctl_ficlone};

use super::file::{Found, Origin};
use super::listing::special;
use super::refusal::refused;
use crate::failure::{Failure, Trouble};
use crate::runner::{Mount, Runner};

/// As many links one behind the other as the kernel follows.
const MOST_HOPS: usize = 40;

/// As many files as links to directories may add to an output; links to links to directories multiply.
const MOST_FILES: usize = 1_000_000;

/// The file system as the command of a datum sees it, as far as it is the datum's own.
pub(super) struct Inside<'a> {
    runner: &'a Runner,
    mounts: &'a [Mount],
    out: PathBuf,
}

/// What a path of the inside leads to.
enum Target {
    File(PathBuf),
    /// A directory of this machine.
    Directory(PathBuf),
    /// A directory of the sandbox alone, above inputs; with the names in it.
    Frame(Vec<OsString>),
}

impl<'a> Inside<'a> {
    pub(super) fn new(runner: &'a Runner, mounts: &'a [Mount]) -> Self {
        Self {
            runner,
            mounts,
            out: runner.pfs().join("out"),
        }
    }

    /// The files that the link at `path` below the output directory stands for.
    pub(super) fn behind(&self, path: &str) -> Result<Vec<Found>, Failure> {
        let mut found = Vec::new();
        self.gather(path, &self.out.join(path), &mut Vec::new(), &mut found)?;
        Ok(found)
    }

    /// Adds what lies at `inside` to the output as `path`. `above` are the directories that are being gathered.
    fn gather(
        &self,
        path: &str,
        inside: &Path,
        above: &mut Vec<PathBuf>,
        found: &mut Vec<Found>,
    ) -> Result<(), Failure> {
        let real = self.resolve(path, inside)?;
        let names = match self.target(path, &real)? {
            Target::File(source) => {
                if found.len() >= MOST_FILES {
                    return Err(refused(
                        path,
                        "its links stand for more than a million files",
                    ));
                }
                let path = path.to_owned();
                found.push(Found {
                    path,
                    origin: Origin::Linked(source),
                });
                return Ok(());
            }
            Target::Directory(host) => names(&host).map_err(Trouble::scratch(&host))?,
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
            self.gather(&format!("{path}/{text}"), &real.join(&name), above, found)?;
        }
        above.pop();
        Ok(())
    }

    /// The path without any link in it.
    fn resolve(&self, path: &str, inside: &Path) -> Result<PathBuf, Failure> {
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

    /// What the link at `real` says; none if it is no link, or not the datum's own.
    fn link_at(&self, path: &str, real: &Path) -> Result<Option<PathBuf>, Failure> {
        let Some(host) = self.runner.resolve(real) else {
            return Ok(None);
        };
        match fs::symlink_metadata(&host) {
            Ok(metadata) if metadata.is_symlink() => {
                let link = fs::read_link(&host).map_err(Trouble::scratch(&host))?;
                Ok(Some(link))
            }
            Ok(_) => Ok(None),
            Err(error) => Err(unreachable_target(path, real, &host, error)),
        }
    }

    fn target(&self, path: &str, real: &Path) -> Result<Target, Failure> {
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

    /// The names in a directory that is there only because inputs lie below it.
    fn frame(&self, real: &Path) -> Vec<OsString> {
        // `/pfs` itself would be everything, `out` and so this very link included.
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

/// A path, step by step.
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

fn unreachable_target(path: &str, real: &Path, host: &Path, error: io::Error) -> Failure {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let problem = match error.kind() {
        NotFound | NotADirectory => "which does not exist",
        PermissionDenied => "which may not be read",
        _ => return Trouble::scratch(host)(error),
    };
    refused(
        path,
        &format!("it is a link that leads to {}, {problem}", real.display()),
    )
}

/// Makes `place` hold the bytes of `source`, without copying them where that is safe: a copy that shares them, or a
/// second name for a file that nobody may write to any more. It is `ours` if it is the datum's and its command is gone.
pub(super) fn duplicate(source: &Path, place: &Path, ours: bool) -> io::Result<()> {
    let mut from = File::open(source)?;
    let metadata = from.metadata()?;
    let unchangeable =
        metadata.mode() & 0o777 == 0o444 && metadata.uid() == rustix::process::geteuid().as_raw();
    if (unchangeable || ours) && fs::hard_link(source, place).is_ok() {
        return Ok(());
    }
    copy(&mut from, place)
}

/// A copy of the file at `place`, which shares its blocks where the file system can.
pub(super) fn copy(from: &mut File, place: &Path) -> io::Result<()> {
    let mut to = File::create_new(place)?;
    if ioctl_ficlone(&to, &from).is_err() {
        io::copy(from, &mut to)?;
    }
    Ok(())
}
