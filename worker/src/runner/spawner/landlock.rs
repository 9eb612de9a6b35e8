//! The Landlock domain of commands.
//!
//! In any domain, processes outside cannot be traced, so their memory, environment and descriptors are closed. Since
//! ABI 6 a domain also has scopes: processes outside cannot be signalled, nor reached through abstract sockets.
//!
//! Where nothing can be mounted, the domain also hides directories. Landlock rules only allow, and hold for everything
//! below a directory; so each entry beside the path of a hidden directory gets a rule, and names can be listed
//! everywhere. Entries that are created later beside that path are out of reach for commands.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::message::Restrictions;
use crate::runner::protection::{Hiding, Isolation};

/// The latest ABI whose file rights are handled.
const FILES: ABI = ABI::V5;

/// The result of entering a domain.
pub(super) struct Domain {
    pub(super) isolation: Isolation,
    pub(super) hiding: Hiding,
    pub(super) missing: Vec<String>,
}

/// Enters the strongest domain that the kernel has.
pub(super) fn enter(restrictions: &Restrictions, mounts: bool) -> Domain {
    let hide = !mounts && !restrictions.hidden.is_empty();
    let scoped = enter_with(restrictions, hide, true);
    let entered = match scoped {
        // A privileged command may mount, which a domain that handles files would prevent.
        Err(_) if restrictions.privileged && mounts => scoped,
        Err(_) => enter_with(restrictions, hide, false),
        Ok(()) => scoped,
    };
    let hiding = |entered: bool| {
        if hide && entered {
            Hiding::Landlock
        } else {
            Hiding::None
        }
    };
    match entered {
        Ok(()) if has_scopes() => Domain {
            isolation: Isolation::Full,
            hiding: hiding(true),
            missing: Vec::new(),
        },
        Ok(()) => Domain {
            isolation: Isolation::Trace,
            hiding: hiding(true),
            missing: vec!["this kernel's Landlock has no scopes (ABI 6, Linux 6.12)".to_owned()],
        },
        Err(error) => Domain {
            isolation: Isolation::None,
            hiding: hiding(false),
            missing: vec![format!("Landlock is not available: {error}")],
        },
    }
}

fn has_scopes() -> bool {
    scopes(Ruleset::default()).is_ok()
}

fn scopes(ruleset: Ruleset) -> Result<Ruleset, RulesetError> {
    ruleset
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::from_all(ABI::V6))
}

fn enter_with(restrictions: &Restrictions, hide: bool, scoped: bool) -> Result<(), String> {
    let failed = |error: RulesetError| error.to_string();
    let mut ruleset = Ruleset::default();
    if scoped {
        ruleset = scopes(ruleset).map_err(failed)?;
    }
    ruleset = ruleset.set_compatibility(CompatLevel::BestEffort);
    if hide {
        ruleset = ruleset
            .handle_access(AccessFs::from_all(FILES))
            .map_err(failed)?;
    } else if !scoped {
        // A domain must handle something; commands have no right to make devices anyway.
        ruleset = ruleset.handle_access(AccessFs::MakeBlock).map_err(failed)?;
    }
    let mut created = ruleset.create().map_err(failed)?;
    if hide {
        created = allow_all_but(created, restrictions).map_err(failed)?;
    }
    let status = created
        .no_new_privs(!restrictions.privileged)
        .restrict_self()
        .map_err(failed)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(format!("{:?}", status.landlock)),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

fn allow_all_but(
    created: RulesetCreated,
    restrictions: &Restrictions,
) -> Result<RulesetCreated, RulesetError> {
    let all = AccessFs::from_all(FILES);
    created
        .add_rules(path_beneath_rules(["/"], AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(
            allowed_beside(&restrictions.hidden),
            all,
        ))?
        .add_rules(path_beneath_rules(&restrictions.own, all))
}

/// All entries beside the paths of `hidden`.
fn allowed_beside(hidden: &[PathBuf]) -> BTreeSet<PathBuf> {
    // To hide an entry of `/tmp` would deny commands to create files there.
    let hidden: Vec<PathBuf> = hidden
        .iter()
        .filter_map(|path| fs::canonicalize(path).ok())
        .filter(|path| path.parent() != Some(Path::new("/tmp")))
        .collect();
    let on_the_way = |path: &Path| hidden.iter().any(|hidden| hidden.starts_with(path));
    let mut directories: BTreeSet<&Path> = hidden
        .iter()
        .flat_map(|path| path.ancestors().skip(1))
        .collect();
    // A hidden directory inside another hidden directory needs no rule.
    directories.retain(|directory| !hidden.iter().any(|hidden| directory.starts_with(hidden)));
    // A rule is about the directory, not about a name: a rule
    // for a second mount of a directory on the way would allow everything.
    let on_the_way_itself: BTreeSet<_> = directories.iter().filter_map(|it| identity(it)).collect();
    directories
        .into_iter()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !on_the_way(path) && !path.is_symlink())
        .filter(|path| identity(path).is_some_and(|it| !on_the_way_itself.contains(&it)))
        .collect()
}

/// Device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cover_all_entries_beside_hidden_directories() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for directory in [
            "store/.drover/jobs",
            "store/photos",
            "store/labels",
            "other",
        ] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::write(root.join("store/file"), "").unwrap();
        let allowed = allowed_beside(&[root.join("store/.drover")]);
        let below: Vec<_> = allowed
            .iter()
            .filter_map(|path| path.strip_prefix(&root).ok())
            .collect();
        assert_eq!(
            below,
            ["other", "store/file", "store/labels", "store/photos"].map(Path::new)
        );
        assert!(allowed.contains(Path::new("/proc")));
        assert!(!allowed.contains(Path::new("/")) && !allowed.contains(&root));
    }
}
