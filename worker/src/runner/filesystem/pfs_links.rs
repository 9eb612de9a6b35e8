//! The links that a slot puts into the machine's `/pfs`, told apart from files that Drover did not make.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::slot_scratch::{COPIES, ENV, OUT};

/// An entry of a `/pfs`.
#[derive(Debug, Eq, PartialEq)]
enum Entry {
    /// A link into the scratch directory of a slot that is gone, or of the slot.
    Leftover,
    /// A link into the scratch directory of a slot that exists.
    InUse(PathBuf),
    /// Anything else.
    Foreign,
}

/// Removes the links of slots that are gone and of the slot `own` from `pfs`. An error if anything else is in there.
pub(super) fn take_over(pfs: &Path, own: &Path) -> Result<(), String> {
    let shown = pfs.display();
    let failed = |error: io::Error| {
        format!("{shown} cannot hold links: {error}; mount an empty, writable volume there")
    };
    for entry in fs::read_dir(pfs).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match classify(&path, own) {
            Entry::Leftover => fs::remove_file(&path).map_err(failed)?,
            Entry::InUse(scratch) => {
                return Err(format!(
                    "{shown} is in use by the worker with the scratch directory {}",
                    scratch.display()
                ));
            }
            Entry::Foreign => {
                return Err(format!(
                    "{} was not made by Drover, and {shown} is emptied for each datum; mount an empty volume at {shown}",
                    path.display()
                ));
            }
        }
    }
    Ok(())
}

/// Removes the links of slots that are gone and of the slot `own` from `pfs`, if any, and leaves everything else.
pub(super) fn remove_leftovers(pfs: &Path, own: &Path) {
    for entry in fs::read_dir(pfs).into_iter().flatten().flatten() {
        let path = entry.path();
        if classify(&path, own) == Entry::Leftover {
            // A link that cannot be removed dangles.
            let _ = fs::remove_file(path);
        }
    }
}

fn classify(path: &Path, own: &Path) -> Entry {
    if path.file_name().is_some_and(|name| name == ENV) {
        return if is_env_of_datum(path) {
            Entry::Leftover
        } else {
            Entry::Foreign
        };
    }
    let scratch = fs::read_link(path)
        .ok()
        .and_then(|target| scratch_of(path, &target));
    match scratch {
        None => Entry::Foreign,
        Some(scratch) if scratch == own || !scratch.exists() => Entry::Leftover,
        Some(scratch) => Entry::InUse(scratch),
    }
}

/// The scratch directory of the slot that made the link `path` to `target`.
fn scratch_of(path: &Path, target: &Path) -> Option<PathBuf> {
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if !target.is_absolute() || !target.components().all(plain) {
        return None;
    }
    let name = path.file_name()?;
    let copies = target.parent()?;
    if name == OUT {
        return (target.file_name()? == OUT).then(|| copies.to_owned());
    }
    let ours = target.file_name()? == name && copies.file_name()? == COPIES;
    ours.then(|| copies.parent().map(Path::to_owned))?
}

/// True for a file with the variables of a datum, which a batch command finds beside its inputs.
fn is_env_of_datum(path: &Path) -> bool {
    let regular = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    regular
        && fs::read_to_string(path).is_ok_and(|text| {
            text.is_empty() || text.lines().any(|line| line.starts_with("DROVER_"))
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    type Make = fn(&Path, &Path) -> io::Result<()>;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn links_of_a_slot_that_is_gone_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (pfs, gone) = (
            folder.path().join("pfs"),
            folder.path().join("gone/slots/0"),
        );
        fs::create_dir(&pfs).unwrap();
        symlink(gone.join("out"), pfs.join("out")).unwrap();
        symlink(gone.join("pfs/photos"), pfs.join("photos")).unwrap();
        fs::write(pfs.join(".env"), "DROVER_DATUM_INDEX=1\n").unwrap();
        take_over(&pfs, Path::new("/own")).unwrap();
        assert!(names(&pfs).is_empty());
    }

    #[test]
    fn a_pfs_with_files_of_others_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (pfs, other) = (folder.path().join("pfs"), folder.path().join("other"));
        fs::create_dir_all(other.join("pfs/photos")).unwrap();
        let rows: [(Make, &str); 6] = [
            (
                |pfs, _| fs::write(pfs.join("precious"), "x"),
                "precious was not made by Drover",
            ),
            (
                |pfs, _| fs::create_dir(pfs.join("out")),
                "out was not made by Drover",
            ),
            (
                |pfs, _| fs::write(pfs.join(".env"), "PASSWORD=x"),
                ".env was not made by Drover",
            ),
            (
                |pfs, _| symlink("/data/photos", pfs.join("photos")),
                "photos was not made",
            ),
            (
                |pfs, _| symlink("/data/../pfs/photos", pfs.join("photos")),
                "photos was not made",
            ),
            (
                |pfs, other| symlink(other.join("pfs/photos"), pfs.join("photos")),
                "is in use by the worker",
            ),
        ];
        for (make, expected) in rows {
            fs::create_dir(&pfs).unwrap();
            make(&pfs, &other).unwrap();
            let before = names(&pfs);
            let refusal = take_over(&pfs, Path::new("/own")).unwrap_err();
            assert!(refusal.contains(expected), "{refusal}");
            remove_leftovers(&pfs, Path::new("/own"));
            assert_eq!(names(&pfs), before, "{expected}");
            fs::remove_dir_all(&pfs).unwrap();
        }
    }
}
