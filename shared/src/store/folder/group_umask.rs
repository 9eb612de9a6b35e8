//! Folders that several users share: those that a group may write to and that claimed the group on (setgid), as Kubernetes
//! makes the volumes of a pod with `fsGroup`.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Mutex, PoisonError};

use rustix::fs::Mode;
use rustix::process::umask;

/// Setgid, and writable for the group.
const SHARED: u32 = 0o2020;

/// The umask before it was changed; none while it is as it was.
static INITIAL_UMASK: Mutex<Option<u32>> = Mutex::new(None);

/// If the folder is shared, so is from now on whatever this process makes: else the first user of a store would keep the
/// others out of its directories. Nothing that Drover makes in a store is meant for one user alone.
pub(super) fn share_with_group(folder: &Metadata) {
    if folder.permissions().mode() & SHARED != SHARED {
        return;
    }
    let mut initial = INITIAL_UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    if initial.is_none() {
        // It can only be read by setting it.
        let found = umask(Mode::WGRP | Mode::WOTH);
        umask(found - Mode::WGRP);
        *initial = Some(found.bits());
    }
}

/// The umask that this process was started with, if it has another one now: that of a user's commands.
pub fn initial_umask() -> Option<u32> {
    *INITIAL_UMASK.lock().unwrap_or_else(PoisonError::into_inner)
}
