//! Checks the targets of inputs: below `/pfs`, none inside another.

use std::collections::HashSet;
use std::path::{Component, Path};

use crate::runner::order::{Mount, MountKind};

/// Refuses inputs outside `/pfs` and overlapping inputs.
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
            return Err(same_place(&mount.target, above));
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
        "input {} cannot be shown: it must be a plain path below an input's name, which is not `out`",
        target.display()
    ))
}

/// The message for overlapping inputs.
pub(super) fn conflict(input: &Mount, all: &[Mount]) -> String {
    let in_the_way = |other: &&Mount| {
        !std::ptr::eq(*other, input)
            && (input.target.starts_with(&other.target) || other.target.starts_with(&input.target))
    };
    let other = all.iter().find(in_the_way).unwrap_or(input);
    same_place(&input.target, &other.target)
}

fn same_place(target: &Path, other: &Path) -> String {
    format!(
        "inputs {} and {} have the same place below /pfs; give the inputs of the spec different names",
        target.display(),
        other.display()
    )
}
