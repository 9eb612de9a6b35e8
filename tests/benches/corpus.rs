//! Stores full of small files.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use drover_tests::{Spec, Workspace, drover, unique};
use serde_json::json;

/// A store with `count` small files, a thousand in each folder of `in`.
pub(crate) fn small_files(count: u64) -> Workspace {
    let workspace = Workspace::new();
    for number in 0..count {
        let folder = workspace.path(&format!("in/{:04}", number / 1000));
        if number % 1000 == 0 {
            fs::create_dir_all(&folder).expect("the store is writable");
        }
        fs::write(folder.join(format!("{number:07}")), number.to_string())
            .expect("the store is writable");
    }
    workspace
}

/// One datum of `/bin/true` for each file, one a message.
pub(crate) fn every_file(workspace: &Workspace) -> String {
    every_file_in_sets(workspace, 1)
}

/// One datum of `/bin/true` for each file, so many a message.
pub(crate) fn every_file_in_sets(workspace: &Workspace, number: u64) -> String {
    let spec = Spec::new("nothing").reads("in", "/*/*").cmd(&["/bin/true"]);
    workspace.spec(&spec.set("datum_set_spec", json!({ "number": number })))
}

/// `drover` with these arguments in the store.
pub(crate) fn drover_in(workspace: &Workspace, args: &[&str]) -> Command {
    let mut command = Command::new(drover());
    command.args(args).current_dir(workspace.store());
    command
}

/// A shell command in the store.
pub(crate) fn shell_in(workspace: &Workspace, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(workspace.store());
    command
}

/// The pipeline of the benches.
const PIPELINE: &str = "nothing";

/// Forgets all that Drover knows, and the output of [`PIPELINE`]. Both are put aside: some file systems are slow to give out
/// inodes for minutes after thousands were freed, which the next run would pay for.
pub(crate) fn forget(workspace: &Workspace) {
    for name in [".drover", PIPELINE] {
        let folder: PathBuf = workspace.path(name);
        if folder.exists() {
            let aside = workspace.path(&unique("forgotten"));
            fs::rename(folder, aside).expect("the store is writable");
        }
    }
}
