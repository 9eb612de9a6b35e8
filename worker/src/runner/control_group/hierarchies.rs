//! The directories of the current process in the hierarchies of control groups.

use std::path::{Path, PathBuf};

/// Controllers of the first version whose hierarchies are used.
const CONTROLLERS: [&str; 2] = ["pids", "memory"];

/// The directories of the current process in the unified hierarchy and in those of the controllers, from the texts of
/// `/proc/self/cgroup` and `/proc/self/mountinfo`.
pub(super) fn hierarchies(groups: &str, mounts: &str) -> Vec<PathBuf> {
    let others = CONTROLLERS.into_iter().map(|controller| {
        let has = |controllers: &str| controllers.split(',').any(|it| it == controller);
        group_of(groups, has).zip(mount_of(mounts, "cgroup", Some(controller)))
    });
    let others = others.flatten().filter_map(directory);
    let mut directories: Vec<PathBuf> = unified(groups, mounts).into_iter().chain(others).collect();
    // Two controllers may share a hierarchy.
    directories.dedup();
    directories
}

/// The directory of the current process in the unified hierarchy.
pub(super) fn unified(groups: &str, mounts: &str) -> Option<PathBuf> {
    let place = group_of(groups, str::is_empty).zip(mount_of(mounts, "cgroup2", None));
    directory(place?)
}

/// The directory of a path in a hierarchy, of which the part below a root is mounted.
fn directory((path, (root, mounted_at)): (&str, (PathBuf, PathBuf))) -> Option<PathBuf> {
    let below = Path::new(path).strip_prefix(root).ok()?;
    Some(mounted_at.join(below))
}

/// The path of the current process in the hierarchy of the matching controllers.
fn group_of(groups: &str, is_ours: impl Fn(&str) -> bool) -> Option<&str> {
    let mut lines = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    lines.find_map(|(controllers, path)| is_ours(controllers).then_some(path))
}

/// Root and mount point of the hierarchy of a file system type, with the option.
fn mount_of(mounts: &str, kind: &str, option: Option<&str>) -> Option<(PathBuf, PathBuf)> {
    mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let is_kind = filesystem.next() == Some(kind);
        let options = filesystem.nth(1).unwrap_or_default();
        let has_option = option.is_none_or(|option| options.split(',').any(|it| it == option));
        let mut fields = mount.split(' ').skip(3);
        (is_kind && has_option).then_some((fields.next()?.into(), fields.next()?.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 24 0:26 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw
31 24 0:27 /box /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 24 0:28 /box /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
";

    #[test]
    fn the_directories_of_all_hierarchies_are_found() {
        let groups = "8:pids:/box/here\n4:memory:/box\n0::/deep/down\n";
        assert_eq!(
            hierarchies(groups, MOUNTS),
            [
                "/sys/fs/cgroup/unified/deep/down",
                "/sys/fs/cgroup/pids/here",
                "/sys/fs/cgroup/memory"
            ]
            .map(PathBuf::from)
        );
    }

    #[test]
    fn controllers_that_share_a_hierarchy_are_one_directory() {
        let mounts = "33 24 0:29 / /groups rw - cgroup cgroup rw,pids,memory\n";
        let directories = hierarchies("3:memory,pids:/here\n", mounts);
        assert_eq!(directories, [PathBuf::from("/groups/here")]);
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_is_not_found() {
        let groups = "8:pids:/elsewhere\n";
        assert_eq!(hierarchies(groups, MOUNTS), Vec::<PathBuf>::new());
        assert_eq!(hierarchies("0::/", ""), Vec::<PathBuf>::new());
    }
}
