//! Damaged records: whatever happens to one file below `.drover`, no command panics or hangs, and no run is silently wrong.

use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use drover_tests::{Outcome, Running, Signal, Spec, Tree, Workspace, eventually};

/// The longest time that a command may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(40);

/// Cases at the same time.
const THREADS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Damage {
    Empty,
    Half,
    Flipped,
    Directory,
    EndlessLink,
    Deleted,
}

impl Damage {
    const ALL: [Self; 6] = [
        Self::Empty,
        Self::Half,
        Self::Flipped,
        Self::Directory,
        Self::EndlessLink,
        Self::Deleted,
    ];

    fn inflict(self, path: &Path) {
        let mut bytes = fs::read(path).expect("the file is readable");
        fs::remove_file(path).expect("the store is writable");
        match self {
            Self::Empty => fs::write(path, "").expect("the store is writable"),
            Self::Half => {
                fs::write(path, &bytes[..bytes.len() / 2]).expect("the store is writable");
            }
            Self::Flipped => {
                let middle = bytes.len() / 2;
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte ^= 1;
                }
                fs::write(path, bytes).expect("the store is writable");
            }
            Self::Directory => fs::create_dir(path).expect("the store is writable"),
            Self::EndlessLink => symlink("/dev/zero", path).expect("the store is writable"),
            Self::Deleted => {}
        }
    }
}

/// A damage to a file of a store.
#[derive(Clone, Debug)]
struct Case {
    store: &'static str,
    path: PathBuf,
    damage: Damage,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            store,
            path,
            damage,
        } = self;
        write!(out, "{damage:?} {} in a {store} store", path.display())
    }
}

/// Turns files into capitals; a file named `slow` waits for the gate.
fn capitals() -> Spec {
    Spec::new("capitals").reads("in", "/*").sh(r#"
        name=$(basename "$in"); echo "$name" >> "$OUTSIDE/runs"
        if [ "$name" = slow ]; then while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; fi
        tr a-z A-Z < "$in" > "/pfs/out/$name""#)
}

fn write_inputs(workspace: &Workspace) {
    workspace.remove("in/a");
    workspace.file("in/b", "bear\n");
    workspace.file("in/slow", "sloth\n");
}

/// A store with a finished job, and one that finished or was killed with half of its datums done.
fn damaged_soon(finished: bool) -> Workspace {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace.file("in/b", "bee\n");
    workspace.succeeds(&capitals());
    write_inputs(&workspace);
    if finished {
        workspace.open_gate("gate");
        workspace.succeeds(&capitals());
    } else {
        let mut running = workspace.start_run(&capitals(), &["--workers", "2"]);
        eventually("the last datum ran", || {
            workspace.line_count("runs") == 4 || running.has_ended()
        });
        running.signal(Signal::SIGKILL);
        running.finish();
    }
    workspace
}

/// Final content of a fresh store.
fn expected() -> Tree {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    write_inputs(&workspace);
    workspace.open_gate("gate");
    workspace.succeeds(&capitals());
    workspace.tree("capitals")
}

/// All files below `.drover`, relative to the store.
fn records(workspace: &Workspace) -> Vec<PathBuf> {
    let tree = workspace.tree(".drover");
    let paths = tree.paths().into_iter().filter(|path| !path.ends_with('/'));
    paths.map(|path| Path::new(".drover").join(path)).collect()
}

fn copy(from: &Workspace, to: &Workspace) {
    let status = Command::new("cp")
        .arg("-aT")
        .args([from.store(), to.store()])
        .status();
    assert!(status.expect("cp runs").success());
}

/// Runs `drover` to its end; no panic, no signal, no hang.
fn call(workspace: &Workspace, arguments: &[&str], what: &str) -> Outcome {
    let mut running: Running = workspace.start(arguments);
    let begun = Instant::now();
    while !running.has_ended() {
        assert!(begun.elapsed() < DEADLINE, "{arguments:?} hangs: {what}");
        thread::sleep(Duration::from_millis(5));
    }
    let outcome = running.finish();
    let is_orderly = outcome.status.code().is_some_and(|code| code < 100);
    assert!(
        is_orderly && !outcome.stderr.contains("panicked"),
        "{arguments:?}: {what}: {}",
        outcome.transcript()
    );
    outcome
}

/// Follows the advice of the error: removes the record, the folder of its job, or the output with its record.
fn follow_advice(workspace: &Workspace, path: &Path) {
    let mut parts = path
        .iter()
        .map(|part| part.to_str().expect("a name is UTF-8"));
    let gone = match (parts.nth(1), parts.next()) {
        (Some("jobs"), Some(job)) => Path::new(".drover/jobs").join(job),
        _ => path.to_owned(),
    };
    if path.ends_with("published") {
        fs::remove_dir_all(workspace.path("capitals")).expect("the store is writable");
    }
    let gone = workspace.path(gone.to_str().expect("a name is UTF-8"));
    if gone.is_dir() && !gone.is_symlink() {
        fs::remove_dir_all(gone).expect("the store is writable");
    } else if gone.is_symlink() || gone.exists() {
        fs::remove_file(gone).expect("the store is writable");
    }
}

/// Failures of one case.
fn judge(case: &Case, base: &Workspace, expected: &Tree) {
    let workspace = Workspace::new();
    copy(base, &workspace);
    let what = case.to_string();
    workspace.open_gate("gate");
    case.damage
        .inflict(&workspace.path(case.path.to_str().expect("a name is UTF-8")));
    let looks: &[&[&str]] = if case.store == "finished" {
        &[
            &["jobs"],
            &["job", "last"],
            &["datums", "last"],
            &["logs", "last", "--datum", "0"],
            &["explain", "last"],
            &["verify"],
        ]
    } else {
        &[&["jobs"], &["explain", "last"], &["verify"]]
    };
    for look in looks {
        call(&workspace, look, &what);
    }
    let spec = workspace.spec(&capitals());
    let run = ["run", "--output", "json", spec.as_str()];
    let ran = call(&workspace, &run, &what);
    if ran.status.code() != Some(0) {
        let name = case
            .path
            .file_name()
            .expect("a name is UTF-8")
            .to_str()
            .expect("a name is UTF-8");
        // Without a record, published files count as a user's, and are named.
        let is_gone = matches!(case.damage, Damage::Deleted) && name == "published";
        let told = ran.transcript();
        let named = if is_gone { "capitals/b" } else { name };
        assert!(told.contains(named), "{what}: {told}");
        follow_advice(&workspace, &case.path);
        let ran = call(&workspace, &run, &what);
        assert!(
            ran.status.success(),
            "advice of {what}: {}",
            ran.transcript()
        );
    }
    let tree = workspace.tree("capitals");
    assert!(tree == *expected, "wrong output: {what}: {tree:?}");
}

#[test]
fn a_damaged_record_is_rebuilt_or_named_and_no_run_is_silently_wrong() {
    let expected = expected();
    let stores = [
        ("finished", damaged_soon(true)),
        ("half-done", damaged_soon(false)),
    ];
    let cases = stores.iter().flat_map(|(store, base)| {
        records(base).into_iter().flat_map(|path| {
            Damage::ALL.map(|damage| Case {
                store,
                path: path.clone(),
                damage,
            })
        })
    });
    let cases = Mutex::new(cases);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let case = cases.lock().unwrap().next();
                    let Some(case) = case else { return };
                    let (_, base) = stores
                        .iter()
                        .find(|(store, _)| *store == case.store)
                        .unwrap();
                    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        judge(&case, base, &expected);
                    }));
                    if judged.is_err() {
                        failures.lock().unwrap().push(case.to_string());
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} cases: {failures:#?}",
        failures.len()
    );
}
