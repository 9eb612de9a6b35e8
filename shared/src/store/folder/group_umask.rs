//! Folders shared by several users: group-writable and setgid, as Kubernetes mounts the volumes of a pod with
//! `fsGroup`.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Mutex, PoisonError};

use rustix::fs::Mode;
use rustix::process::umask;

/// Setgid, and writable for the group.
const SHARED: u32 = 0o2020;

/// The umask before the change; none without a change.
static INITIAL_UMASK: Mutex<Option<u32>> = Mutex::new(None);

/// In a shared folder, relaxes the umask so the group may write to everything the current process creates: otherwise the
/// first user of a store would lock the other users out of its directories. Drover creates nothing in a store that is
/// private to one user.
pub(super) fn share_with_group(folder: &Metadata) {
    if folder.permissions().mode() & SHARED != SHARED {
        return;
    }
    let mut initial = INITIAL_UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    if initial.is_none() {
        // Reading the umask is only possible by setting it.
        let found = umask(Mode::WGRP | Mode::WOTH);
        umask(found - Mode::WGRP);
        *initial = Some(found.bits());
    }
}

/// The umask at the start of the current process, for user commands; none if the umask was not changed.
pub fn initial_umask() -> Option<u32> {
    *INITIAL_UMASK.lock().unwrap_or_else(PoisonError::into_inner)
}
