//! Mount points of this namespace and changes of mounts, from `/proc/self/mountinfo`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Detects changes of mounts in this namespace, by polling `mountinfo` (`proc(5)`).
pub(super) struct MountChanges(File);

impl MountChanges {
    /// Starts to watch.
    pub(super) fn watch() -> io::Result<Self> {
        File::open(MOUNTINFO).map(Self)
    }

    fn read(&self) -> io::Result<MountPoints> {
        let mut list = Vec::new();
        (&self.0).rewind()?;
        (&self.0).read_to_end(&mut list)?;
        Ok(MountPoints::parse(&list))
    }

    /// True if mounts changed since the last call, or if the poll failed.
    pub(super) fn any(&self) -> bool {
        let mut list = [PollFd::new(&self.0, PollFlags::PRI)];
        let at_once = Timespec::default();
        poll(&mut list, Some(&at_once)) != Ok(0)
    }
}

/// The mount points of the namespace that the current process is in when watching starts, even after the process has left it.
pub(super) struct HostMounts {
    changes: MountChanges,
    points: MountPoints,
}

impl HostMounts {
    /// Starts to watch.
    pub(super) fn watch() -> io::Result<Self> {
        let changes = MountChanges::watch()?;
        let points = changes.read()?;
        Ok(Self { changes, points })
    }

    /// True if a file system is mounted strictly below `directory`, or was when this was last asked.
    pub(super) fn has_mounts_below(&mut self, directory: &Path) -> rustix::io::Result<bool> {
        let before = self.points.below(directory).next().is_some();
        if self.changes.any() {
            self.points = self
                .changes
                .read()
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        }
        Ok(before || self.points.below(directory).next().is_some())
    }
}

/// The mount points of a namespace, sorted.
pub(super) struct MountPoints(Vec<PathBuf>);

impl MountPoints {
    /// Reads the mount points that the current process sees.
    pub(super) fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read(MOUNTINFO)?))
    }

    fn parse(text: &[u8]) -> Self {
        let mut targets: Vec<PathBuf> = text
            .split(|&byte| byte == b'\n')
            .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
            .map(unescape)
            .collect();
        targets.sort();
        targets.dedup();
        Self(targets)
    }

    /// The mount points strictly below `directory`, relative to it.
    pub(super) fn below<'a>(&'a self, directory: &'a Path) -> impl Iterator<Item = &'a Path> {
        let first = self.0.partition_point(|point| point.as_path() <= directory);
        self.0[first..]
            .iter()
            .map_while(move |point| point.strip_prefix(directory).ok())
    }
}

/// Decodes octal escapes such as `\040`.
fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(octal);
        plain.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(OsString::from_vec(plain))
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_below_a_directory_are_found_by_their_true_names() {
        let targets = MountPoints::parse(
            b"21 1 8:1 / / rw - ext4 /dev/a rw\n22 21 0:5 / /data/my\\040disk rw - tmpfs t rw\n23 21 0:6 / /data rw - tmpfs t rw\n24 21 0:6 / /database rw - tmpfs t rw\n",
        );
        let below = |directory: &str| {
            targets
                .below(Path::new(directory))
                .map(Path::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(below("/data"), [PathBuf::from("my disk")]);
        assert!(below("/data/my disk").is_empty());
        assert!(below("/home").is_empty());
    }
}
