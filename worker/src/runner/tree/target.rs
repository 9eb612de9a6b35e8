//! Where inputs may appear: below `/pfs`, none on top of another.

use std::collections::HashSet;
use std::path::{Component, Path};

use crate::runner::order::{Mount, MountKind};

/// Refuses inputs that would leave `/pfs` or hide one another.
pub(super) fn check(mounts: &[Mount]) -> Result<(), String> {
    for mount in mounts {
        check_shape(&mount.target)?;
    }
    let directories: HashSet<&Path> = mounts
        .iter()
        .filter(|mount| mount.kind == MountKind::Dir)
        .map(|mount| mount.target.as_path())
        .collect();
    if directories.is_empty() {
        return Ok(());
    }
    for mount in mounts {
        let above = mount
            .target
            .ancestors()
            .skip(1)
            .find(|above| directories.contains(above));
        if let Some(above) = above {
            return Err(conflict(&mount.target, above));
        }
    }
    Ok(())
}

fn check_shape(target: &Path) -> Result<(), String> {
    let plain = target
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let first = target.components().next().map(Component::as_os_str);
    if plain && first.is_some_and(|name| name != "out") {
        return Ok(());
    }
    Err(format!(
        "input {target:?} cannot be shown: it must be a plain path below an input's name, which is not `out`"
    ))
}

/// The message for two inputs in one place.
pub(super) fn conflict(target: &Path, other: &Path) -> String {
    format!(
        "inputs {target:?} and {other:?} want the same place below /pfs; give the inputs of the spec different names"
    )
}
