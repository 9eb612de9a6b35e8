//! Removal of files that commands left. The removal never leaves the directory: it follows no links and enters no
//! mounts, since a command that runs as root may have mounted the machine's root there. Another process may remove the same
//! files at the same moment, as the processes of a killed worker do: what is gone is removed.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags, chmodat, fchmod, openat, openat2, renameat,
    unlinkat,
};
use rustix::io::Errno;

/// Deeper directories are moved to the top before they are emptied, so neither stack nor descriptors run out.
const DEEPEST: usize = 64;

/// Removes the contents of the directory `path`.
pub(super) fn empty(path: &Path) -> io::Result<()> {
    let mut entries = Dir::new(openat(CWD, path, READ, Mode::empty())?)?;
    Ok(empty_opened(&mut entries, &[])?)
}

/// Removes the directory `path` and its contents.
pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    empty(path)?;
    std::fs::remove_dir(path)
}

/// Removes the directory `name` of `parent` and its contents; a missing directory is no error.
pub(super) fn remove(parent: impl AsFd, name: &Path) -> io::Result<()> {
    let directory = match open_below(&parent, name) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    empty_opened(&mut Dir::new(directory)?, &[])?;
    Ok(unless_gone(unlinkat(parent, name, AtFlags::REMOVEDIR))?)
}

/// No error for a file that is gone.
fn unless_gone(removed: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match removed {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    }
}

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Opens a directory directly inside `parent`.
fn open_below(
    parent: impl AsFd,
    name: impl rustix::path::Arg + Copy,
) -> rustix::io::Result<OwnedFd> {
    let inside = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    match openat2(&parent, name, READ, Mode::empty(), inside) {
        Err(Errno::ACCESS) => {
            // The command removed our access rights. Only a directory that is certainly no mount gets them back.
            openat2(
                &parent,
                name,
                OFlags::PATH | OFlags::CLOEXEC,
                Mode::empty(),
                inside,
            )?;
            chmodat(&parent, name, Mode::RWXU, AtFlags::empty())?;
            openat2(parent, name, READ, Mode::empty(), inside)
        }
        other => other,
    }
}

/// True if an open directory is empty.
pub(super) fn is_empty(directory: &mut Dir) -> rustix::io::Result<bool> {
    directory.rewind();
    while let Some(entry) = directory.read() {
        if !is_dots(entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes the contents of an open directory, except the names in `kept`.
pub(super) fn empty_opened(entries: &mut Dir, kept: &[PathBuf]) -> rustix::io::Result<()> {
    let mut moved = 0;
    loop {
        let moved_before = moved;
        entries.rewind();
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let name = entry.file_name();
            if !is_dots(name) && !kept.iter().any(|kept| is_named(kept, name)) {
                let here = entries.fd()?;
                remove_entry(
                    here,
                    name,
                    &mut Top {
                        directory: here,
                        moved: &mut moved,
                    },
                    1,
                )?;
            }
        }
        if moved == moved_before {
            return Ok(());
        }
    }
}

/// The directory that receives directories from too deep, and the number of moves, which makes their new names.
struct Top<'a> {
    directory: BorrowedFd<'a>,
    moved: &'a mut u64,
}

fn remove_entry(
    parent: BorrowedFd<'_>,
    name: &CStr,
    top: &mut Top<'_>,
    depth: usize,
) -> rustix::io::Result<()> {
    let unlink = || unlinkat(parent, name, AtFlags::empty());
    let unlinked = match unlink() {
        // The command removed our access rights; read-only directories are common, as in module caches.
        Err(Errno::ACCESS) => fchmod(parent, Mode::RWXU).and_then(|()| unlink()),
        other => other,
    };
    match unlinked {
        // Linux returns EISDIR for directories, POSIX EPERM.
        Err(Errno::ISDIR | Errno::PERM) => {}
        done => return unless_gone(done),
    }
    if depth == DEEPEST {
        *top.moved += 1;
        return unless_gone(renameat(
            parent,
            name,
            top.directory,
            format!(".deep-{}-{}", std::process::id(), top.moved),
        ));
    }
    let opened = match open_below(parent, name) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    let mut entries = Dir::new(opened)?;
    while let Some(entry) = entries.read() {
        let entry = match entry {
            Err(Errno::NOENT) => break,
            entry => entry?,
        };
        if !is_dots(entry.file_name()) {
            remove_entry(entries.fd()?, entry.file_name(), top, depth + 1)?;
        }
    }
    // A directory that is still open would be removed in two steps.
    drop(entries);
    unless_gone(unlinkat(parent, name, AtFlags::REMOVEDIR))
}

fn is_dots(name: &CStr) -> bool {
    name == c"." || name == c".."
}

fn is_named(path: &Path, name: &CStr) -> bool {
    path.as_os_str().as_encoded_bytes() == name.to_bytes()
}

/// The message for files that cannot be removed from `directory`.
pub(super) fn cannot_be_removed(directory: &Path, error: &io::Error) -> String {
    format!(
        "what the last datum left cannot be removed from {}: {error}",
        directory.display()
    )
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn all_is_removed_except_kept_names_and_targets_of_links() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        fs::create_dir_all(inside.join("a/b")).unwrap();
        fs::create_dir_all(inside.join("kept/c")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "").unwrap();
        symlink(&outside, inside.join("a/link")).unwrap();
        fs::set_permissions(inside.join("a/b"), Permissions::from_mode(0o0)).unwrap();
        fs::set_permissions(inside.join("a"), Permissions::from_mode(0o500)).unwrap();
        let mut opened = Dir::new(openat(CWD, &inside, READ, Mode::empty()).unwrap()).unwrap();
        empty_opened(&mut opened, &["kept".into()]).unwrap();
        let left: Vec<_> = fs::read_dir(&inside)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["kept"]);
        assert!(inside.join("kept/c").exists() && outside.join("precious").exists());
    }

    #[test]
    fn a_tree_deeper_than_the_stack_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut here = openat2(
            CWD,
            folder.path(),
            READ,
            Mode::empty(),
            ResolveFlags::empty(),
        )
        .unwrap();
        for _ in 0..300 {
            rustix::fs::mkdirat(&here, "d", Mode::RWXU).unwrap();
            here = openat(&here, "d", READ, Mode::empty()).unwrap();
        }
        empty(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_tree_that_is_removed_by_two_at_the_same_time_goes() {
        for _ in 0..200 {
            let folder = tempfile::tempdir().unwrap();
            let tree = folder.path().join("tree");
            for n in 0..20 {
                fs::create_dir_all(tree.join(format!("slots/{n}/out"))).unwrap();
                fs::write(tree.join(format!("slots/{n}/empty")), "").unwrap();
            }
            let other = tree.join("slots");
            let other = std::thread::spawn(move || fs::remove_dir_all(other));
            remove_all(&tree).unwrap();
            drop(other.join().unwrap());
            assert!(!tree.exists());
        }
    }
}
