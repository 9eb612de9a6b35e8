//! rsync, as people use it on inputs and on whole stores.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use drover_tests::{Spec, Workspace, files};

/// Ways to copy everything, though size and time of a file are the same.
const WAYS: [&[&str]; 3] = [
    &["-aI"],
    &["-aI", "--inplace", "--no-whole-file"],
    &["-aI", "--delete"],
];

fn rsync(options: &[&str], from: &Path, to: &Path) {
    let mut command = Command::new("rsync");
    command.args(options).arg(from.join("")).arg(to.join(""));
    let status = command.status();
    assert!(status.expect("`make test` installs rsync").success());
}

/// Writes a file that is as old as all others.
fn write(path: &Path, content: &str) {
    let folder = path.parent().expect("a file has a folder");
    fs::create_dir_all(folder).expect("the workspace is writable");
    fs::write(path, content).expect("the workspace is writable");
    let file = fs::File::options().write(true).open(path);
    let file = file.expect("the workspace is writable");
    let old = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
    file.set_modified(old).expect("the file is ours");
}

fn copy() -> Spec {
    Spec::new("copy")
        .reads("in", "/*")
        .sh(r#"cp "$in" /pfs/out/"#)
}

#[test]
fn an_input_that_rsync_replaced_or_changed_in_place_is_done_again_though_size_and_time_are_kept() {
    let workspace = Workspace::new();
    let source = workspace.outside("source");
    for (round, options) in WAYS.into_iter().enumerate() {
        for name in ["a", "b"] {
            write(&source.join(name), &format!("{name}: round {round}"));
        }
        rsync(options, &source, &workspace.path("in"));
        let job = workspace.succeeds(&copy());
        assert_eq!(job.counts(), "2: 2 processed", "{options:?}");
        assert_eq!(workspace.tree("copy"), workspace.tree("in"));
        rsync(options, &source, &workspace.path("in"));
        let job = workspace.succeeds(&copy());
        assert_eq!(job.counts(), "2: 2 skipped", "{options:?}, nothing changed");
    }
}

#[test]
fn a_store_that_rsync_copied_updated_or_restored_does_nothing_again_and_shows_nothing_stale() {
    let first = Workspace::new();
    first.file("in/a", "a1");
    first.file("in/b", "b1");
    first.succeeds(&copy());
    let second = Workspace::new();
    rsync(&["-a"], &first.store(), &second.store());
    assert_eq!(second.succeeds(&copy()).counts(), "2: 2 skipped");
    second.file("in/a", "a-2");
    assert_eq!(
        second.succeeds(&copy()).counts(),
        "2: 1 processed, 1 skipped"
    );
    for options in [&["-a", "--delete"][..], &["-a", "--inplace", "--delete"]] {
        rsync(options, &second.store(), &first.store());
        assert_eq!(first.succeeds(&copy()).counts(), "2: 2 skipped");
        let expected = files([("a", "a-2"), ("b", "b1")]);
        assert_eq!(first.tree("copy"), expected, "{options:?}");
        // In place, rsync also wrote through a hard link into the stored output of the former input.
        first.file("in/a", "a1");
        first.succeeds(&copy());
        let expected = files([("a", "a1"), ("b", "b1")]);
        assert_eq!(first.tree("copy"), expected, "{options:?}");
    }
}
