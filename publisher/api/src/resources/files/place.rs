//! The place of a file, inside the data of the store.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use drover_shared::store::{Store, StoreKey, layout};
use rustix::fs::OFlags;
use tokio::task::spawn_blocking;

use crate::routing::error::Error;

/// The largest object fetched from a bucket for a client; the service keeps a copy meanwhile.
const MAX_FETCHED_BYTES: u64 = 256 * 1024 * 1024;

/// The key of a path below the store. Drover's own records are not data.
pub(super) fn data_key(path: &str) -> Result<StoreKey, Error> {
    let key = StoreKey::parse(path.trim_end_matches('/'))
        .map_err(|error| Error::invalid(error.to_string()))?;
    if key.top() == layout::DROVER_FOLDER {
        return Err(Error::not_found(
            "the folder .drover holds the records of Drover, which are not shown as files",
        ));
    }
    Ok(key)
}

/// Opens an object for reading. An object of a bucket is copied to a temporary file first.
pub(super) async fn open(store: &Store, key: &StoreKey) -> Result<File, Error> {
    if let (Some(root), Some(path)) = (store.local_root(), store.local_path(key)) {
        let (root, path) = (root.to_owned(), path);
        let opened = spawn_blocking(move || open_inside(&root, &path))
            .await
            .map_err(io::Error::other)
            .and_then(|opened| opened);
        return opened.map_err(|error| problem(key, &error));
    }
    let entry = store.entry(key).await?;
    if entry.size > MAX_FETCHED_BYTES {
        return Err(Error::invalid(format!(
            "{key} has {} bytes, too many to pass through this service; fetch it from the bucket",
            entry.size
        )));
    }
    let copy = tempfile::tempdir().map_err(|error| problem(key, &error))?;
    let path = copy.path().join("object");
    store.download(key, &path).await?;
    File::open(path).map_err(|error| problem(key, &error))
}

/// Opens a file of a folder. A link is followed if its target is data of the same store.
fn open_inside(root: &Path, path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    // The opened file is asked for its place, since the path may lead elsewhere by the next look.
    let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    is_data(root, &real)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}

/// Checks that a folder is data of the store, with all links followed.
pub(super) fn check_folder(store: &Store, key: &StoreKey) -> Result<(), Error> {
    let (Some(root), Some(path)) = (store.local_root(), store.local_path(key)) else {
        return Ok(());
    };
    let real = fs::canonicalize(path).map_err(|error| problem(key, &error))?;
    is_data(root, &real).map_err(|error| problem(key, &error))
}

fn is_data(root: &Path, real: &Path) -> io::Result<()> {
    let root = fs::canonicalize(root)?;
    if !real.starts_with(&root) || real.starts_with(root.join(layout::DROVER_FOLDER)) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is a link that leaves the data of the store",
        ));
    }
    Ok(())
}

fn problem(key: &StoreKey, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("{key} does not exist in the store")),
        _ => Error::invalid(format!("{key} cannot be read: {error}")),
    }
}

/// Opens the staged output of a datum, which is a record and so below `.drover`.
pub(super) async fn open_staged(store: &Store, key: &StoreKey) -> Result<File, Error> {
    let gone = || {
        Error::not_found(
            "the output of this datum is not kept any longer; a newer job has replaced it",
        )
    };
    let store = store.clone();
    let staged = key.clone();
    if let Some(opened) = spawn_blocking({
        let store = store.clone();
        move || store.open_local(&staged)
    })
    .await
    .map_err(|error| problem(key, &io::Error::other(error)))?
    {
        return opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => gone(),
            _ => problem(key, &error),
        });
    }
    match open(&store, key).await {
        Err(error) if error.is_missing() => Err(gone()),
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_outside_the_data_of_the_store_is_opened() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        let store = tempfile::tempdir().unwrap();
        let path = |name: &str| store.path().join(name);
        fs::create_dir_all(path(".drover")).unwrap();
        fs::create_dir_all(path("in")).unwrap();
        fs::write(path(".drover/token"), "t").unwrap();
        fs::write(path("in/a"), "a").unwrap();
        symlink(outside.path().join("secret"), path("in/out")).unwrap();
        symlink(outside.path(), path("in/folder")).unwrap();
        symlink(path(".drover/token"), path("in/token")).unwrap();
        symlink(path("in/a"), path("in/b")).unwrap();
        for name in ["in/out", "in/folder/secret", "in/token", "in", "in/none"] {
            let opened = open_inside(store.path(), &path(name));
            assert!(opened.is_err(), "{name} was opened");
        }
        for name in ["in/a", "in/b"] {
            let opened = open_inside(store.path(), &path(name));
            assert!(opened.is_ok(), "{name}: {opened:?}");
        }
        for refused in ["/.drover/token", ".drover", "../x", "a//b"] {
            assert!(data_key(refused).is_err(), "{refused}");
        }
    }
}
