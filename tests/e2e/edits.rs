//! Random edits between runs: the output is always that of a fresh store.
//!
//! `DROVER_TEST_EDITS_S` sets for how many seconds edits go on, `DROVER_TEST_EDITS_SEED` with which seed they begin.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use drover_tests::{Random, Spec, Tree, Workspace};

/// Names of inputs; few, so edits meet.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Targets of links.
const POOL: [&str; 2] = ["x", "y"];

/// An edit of a store between two runs.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Write,
    WriteWithTimeKept,
    Rename,
    Swap,
    Link,
    WriteLinked,
    Delete,
    Restore,
    Code,
    OutputInPlace,
    OutputInPlaceWithTimeKept,
    OutputLink,
    OutputReplaced,
    OutputDeleted,
    Copy,
    Kill,
}

const EDITS: [Edit; 16] = [
    Edit::Write,
    Edit::WriteWithTimeKept,
    Edit::Rename,
    Edit::Swap,
    Edit::Link,
    Edit::WriteLinked,
    Edit::Delete,
    Edit::Restore,
    Edit::Code,
    Edit::OutputInPlace,
    Edit::OutputInPlaceWithTimeKept,
    Edit::OutputLink,
    Edit::OutputReplaced,
    Edit::OutputDeleted,
    Edit::Copy,
    Edit::Kill,
];

/// A store under edits.
struct Edited {
    workspace: Workspace,
    random: Random,
    /// Contents of deleted files.
    deleted: Vec<(PathBuf, Vec<u8>)>,
    history: Vec<(Edit, String)>,
}

/// Copies each input with the version of the code behind it, by the script `code.sh` of the store.
fn spec(workspace: &Workspace) -> Spec {
    let code = workspace.path("code.sh");
    let spec = Spec::new("made").reads("in", "/*");
    spec.cmd(&["sh", "-e", code.to_str().unwrap()])
}

fn write_code(workspace: &Workspace, version: u64) {
    let copy = r#"cat "$in" > "/pfs/out/$(basename "$in")"; cat "$in" >> /pfs/out/all"#;
    let code = format!("{copy}\necho {version} >> \"/pfs/out/$(basename \"$in\")\"\n");
    workspace.file("code.sh", code);
}

/// What a fresh store makes of the same inputs and code.
fn fresh(edited: &Workspace) -> Tree {
    let workspace = Workspace::new();
    for name in ["in", "pool", "code.sh"] {
        copy(&edited.path(name), &workspace.path(name));
    }
    workspace.succeeds(&spec(&workspace));
    workspace.tree("made")
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-aT").args([from, to]).status();
    assert!(status.unwrap().success());
}

impl Edited {
    fn new(seed: u64) -> Self {
        let workspace = Workspace::new();
        for name in &NAMES[..4] {
            workspace.file(&format!("in/{name}"), format!("{name}1\n"));
        }
        for name in POOL {
            workspace.file(&format!("pool/{name}"), format!("{name}1\n"));
        }
        write_code(&workspace, 0);
        Self {
            workspace,
            random: Random::new(seed),
            deleted: Vec::new(),
            history: Vec::new(),
        }
    }

    fn name(&mut self) -> PathBuf {
        let name = NAMES[self.random.index(NAMES.len())];
        self.workspace.path("in").join(name)
    }

    /// Content for a file: shared with other files, and mostly of the same size.
    fn content(&mut self) -> String {
        let letter = ["k", "l", "m"][self.random.index(3)];
        format!("{letter}{}\n", self.random.below(11))
    }

    /// Writes a file in place, or its replacement.
    fn write(&mut self, path: &Path, keep_time: bool) {
        let before = fs::metadata(path).and_then(|metadata| metadata.modified());
        let content = self.content();
        let is_replaced = self.random.below(2) == 0;
        let written = if is_replaced {
            self.workspace.outside("new")
        } else {
            path.to_owned()
        };
        fs::write(&written, content).unwrap();
        if keep_time {
            let time = before.unwrap_or(SystemTime::UNIX_EPOCH);
            let file = File::options().write(true).open(&written).unwrap();
            file.set_modified(time).unwrap();
        }
        if is_replaced {
            fs::rename(written, path).unwrap();
        }
    }

    fn output(&mut self) -> Option<PathBuf> {
        let made = self.workspace.path("made");
        let mut files: Vec<_> = fs::read_dir(made).ok()?.flatten().collect();
        files.sort_by_key(fs::DirEntry::file_name);
        (!files.is_empty()).then(|| files[self.random.index(files.len())].path())
    }

    fn edit(&mut self, edit: Edit) {
        let (one, other) = (self.name(), self.name());
        let pool = self
            .workspace
            .path("pool")
            .join(POOL[self.random.index(POOL.len())]);
        self.history.push((edit, one.display().to_string()));
        match edit {
            Edit::Write | Edit::WriteWithTimeKept => {
                self.write(&one, matches!(edit, Edit::WriteWithTimeKept));
            }
            Edit::WriteLinked => self.write(&pool, true),
            Edit::Rename => drop(fs::rename(one, other)),
            Edit::Swap => {
                let aside = self.workspace.outside("aside");
                if one.exists() && other.exists() && one != other {
                    fs::rename(&one, &aside).unwrap();
                    fs::rename(&other, &one).unwrap();
                    fs::rename(&aside, &other).unwrap();
                }
            }
            Edit::Link => {
                let _ = fs::remove_file(&one);
                let target = Path::new("../pool").join(pool.file_name().unwrap());
                symlink(target, one).unwrap();
            }
            Edit::Delete => {
                if let Ok(content) = fs::read(&one) {
                    fs::remove_file(&one).unwrap();
                    self.deleted.push((one, content));
                }
            }
            Edit::Restore => {
                if let Some((path, content)) = self.deleted.pop() {
                    fs::write(path, content).unwrap();
                }
            }
            Edit::Code => {
                let version = self.random.below(4);
                write_code(&self.workspace, version);
            }
            Edit::OutputInPlace
            | Edit::OutputInPlaceWithTimeKept
            | Edit::OutputLink
            | Edit::OutputReplaced
            | Edit::OutputDeleted => {
                self.spoil_output(edit);
            }
            Edit::Copy => {
                let (store, aside) = (self.workspace.store(), self.workspace.outside("copy"));
                copy(&store, &aside);
                fs::remove_dir_all(&store).unwrap();
                fs::rename(aside, store).unwrap();
            }
            Edit::Kill => {
                let running = self.workspace.start_run(&spec(&self.workspace), &[]);
                thread::sleep(Duration::from_millis(self.random.below(250)));
                running.kill();
            }
        }
    }

    fn spoil_output(&mut self, edit: Edit) {
        let Some(output) = self.output() else { return };
        match edit {
            Edit::OutputInPlace | Edit::OutputInPlaceWithTimeKept if !output.is_symlink() => {
                fs::set_permissions(&output, fs::Permissions::from_mode(0o644)).unwrap();
                let before = fs::metadata(&output).unwrap();
                let content = "#".repeat(usize::try_from(before.len()).unwrap());
                fs::write(&output, content).unwrap();
                if matches!(edit, Edit::OutputInPlaceWithTimeKept) {
                    let file = File::options().write(true).open(&output).unwrap();
                    file.set_modified(before.modified().unwrap()).unwrap();
                }
            }
            Edit::OutputLink => {
                fs::remove_file(&output).unwrap();
                let target = ["nowhere", "/etc/hostname", "../in"][self.random.index(3)];
                symlink(target, &output).unwrap();
            }
            Edit::OutputReplaced => {
                fs::remove_file(&output).unwrap();
                fs::write(&output, "spoilt").unwrap();
            }
            _ => fs::remove_file(&output).unwrap(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the environment says how long the test goes on"
)]
fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number"))
    })
}

#[test]
fn after_any_edits_the_output_is_that_of_a_fresh_store() {
    let limit = Duration::from_secs(number("DROVER_TEST_EDITS_S", 25));
    let begun = Instant::now();
    let mut seed = number("DROVER_TEST_EDITS_SEED", 1);
    while begun.elapsed() < limit {
        let mut edited = Edited::new(seed);
        for _ in 0..12 {
            for _ in 0..=edited.random.below(4) {
                let edit = EDITS[edited.random.index(EDITS.len())];
                edited.edit(edit);
            }
            let outcome = edited.workspace.run(&spec(&edited.workspace));
            let about = format!("seed {seed}: {:?}", edited.history);
            assert!(
                outcome.status.success(),
                "{about}: {}",
                outcome.transcript()
            );
            let (found, expected) = (edited.workspace.tree("made"), fresh(&edited.workspace));
            assert!(
                found == expected,
                "{about}: {found:?} instead of {expected:?}"
            );
            if begun.elapsed() > limit {
                break;
            }
        }
        seed += 1;
    }
}
