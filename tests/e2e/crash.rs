//! kill -9 at any moment, run again: the output is that of an undisturbed run, and nothing committed is done twice.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use drover_tests::{Random, Running, Spec, Tree, Workspace, eventually};

const DATUMS: usize = 40;

/// Notes each run in `runs`, and writes a file of its own and a piece of a common one.
fn spec() -> Spec {
    Spec::new("made").reads("in", "/*").sh(r#"
        echo "$DROVER_DATUM_INDEX" >> "$OUTSIDE/runs"
        cp "$in" /pfs/out/; cat "$in" > /pfs/out/all; ln -s "$in" "/pfs/out/link-$(basename "$in")""#)
}

/// Output of an undisturbed run.
fn undisturbed() -> Tree {
    let workspace = Workspace::new();
    workspace.numbered_files("in", DATUMS);
    workspace.succeeds(&spec());
    workspace.tree("made")
}

/// The indexes that the last job committed, according to its records.
fn committed(workspace: &Workspace) -> BTreeSet<String> {
    let datums = workspace.call(&["datums", "last", "--output", "json", "--state", "success"]);
    if datums.status.code() != Some(0) {
        return BTreeSet::new(); // killed before its records existed
    }
    datums
        .lines()
        .iter()
        .map(|datum| datum["index"].to_string())
        .collect()
}

/// Waits until the running job has done `runs` more commands (or ended), then cuts it off.
fn kill_after(workspace: &Workspace, mut running: Running, runs: usize) {
    let enough = workspace.line_count("runs") + runs;
    eventually("some commands ran", || {
        workspace.line_count("runs") >= enough || running.has_ended()
    });
    running.kill();
}

#[test]
fn killed_at_any_moment_and_run_again_it_ends_as_if_undisturbed() {
    let expected = undisturbed();
    for seed in 0..3 {
        let mut random = Random::new(seed);
        let workspace = Workspace::new();
        workspace.numbered_files("in", DATUMS);
        let mut done = BTreeSet::new();
        for _ in 0..4 {
            let running = workspace.start_run(&spec(), &["--workers", "2"]);
            kill_after(
                &workspace,
                running,
                usize::try_from(random.below(14)).unwrap(),
            );
            for index in committed(&workspace) {
                done.insert((
                    index.clone(),
                    workspace
                        .tally("runs")
                        .get(&index)
                        .copied()
                        .unwrap_or_default(),
                ));
            }
        }
        let job = workspace.succeeds(&spec());
        assert_eq!(job.count("total"), DATUMS as u64);
        assert_eq!(workspace.tree("made"), expected, "with seed {seed}");
        for (index, runs) in done {
            assert_eq!(
                workspace.tally("runs")[&index],
                runs,
                "datum {index} was committed and ran again, with seed {seed}"
            );
        }
        let before = workspace.line_count("runs");
        assert_eq!(
            workspace.succeeds(&spec()).counts(),
            format!("{DATUMS}: {DATUMS} skipped")
        );
        assert_eq!(workspace.line_count("runs"), before);
    }
}

#[test]
fn killed_while_it_publishes_it_ends_as_if_undisturbed() {
    let workspace = Workspace::new();
    let many = Spec::new("made").reads("in", "/*").sh(r#"echo >> "$OUTSIDE/runs"; for n in $(seq 100); do cp "$in" "/pfs/out/$n-$(basename "$in")"; done"#);
    workspace.numbered_files("in", DATUMS);
    let mut killed_in_the_middle = false;
    for wanted in [1, 500, 1500, 3000] {
        let mut running = workspace.start_run(&many, &["--reprocess"]);
        eventually("some output showed", || {
            workspace.tree("made").len() >= wanted || running.has_ended()
        });
        running.kill();
        killed_in_the_middle |= (1..DATUMS * 100).contains(&workspace.tree("made").len());
        let _ = std::fs::remove_dir_all(workspace.path("made"));
    }
    assert!(killed_in_the_middle, "it was never caught publishing");
    workspace.succeeds(&many);
    assert_eq!(workspace.tree("made").len(), DATUMS * 100);
    let runs = workspace.line_count("runs");
    assert_eq!(
        workspace.succeeds(&many).counts(),
        format!("{DATUMS}: {DATUMS} skipped")
    );
    assert_eq!(workspace.line_count("runs"), runs);
}

#[test]
fn killed_at_any_moment_of_publishing_a_job_that_fails_shows_the_last_success() {
    let workspace = Workspace::new();
    let many = Spec::new("made").reads("in", "/*").sh(r#"
        case "$in" in *bad) exit 1;; esac
        for n in $(seq 60); do cp "$in" "/pfs/out/$n-$(basename "$in")"; done"#);
    let write = |version: u64| {
        for number in 0..10 {
            workspace.file(&format!("in/{number}"), format!("{version}\n"));
        }
    };
    write(0);
    workspace.succeeds(&many);
    let mut random = Random::new(7);
    let mut killed_in_the_middle = 0;
    for version in 1..=8 {
        let old = workspace.tree("made");
        write(version);
        let log = workspace.path(".drover/pipelines/made/undo/log");
        let mut running = workspace.start_run(&many, &[]);
        eventually("it publishes", || log.exists() || running.has_ended());
        thread::sleep(Duration::from_micros(random.below(60_000)));
        running.kill();
        killed_in_the_middle += u32::from(log.exists());
        let last = workspace.call(&["job", "last", "--output", "json"]).job();
        workspace.file("in/bad", "");
        workspace.fails(&many);
        if last.state() != "success" {
            assert_eq!(workspace.tree("made"), old, "version {version}");
        }
        workspace.remove("in/bad");
        workspace.succeeds(&many);
        let new = workspace.tree("made");
        let content = format!("{version}\n");
        let expected = new
            .paths()
            .into_iter()
            .map(|path| (path.to_owned(), content.clone()));
        assert_eq!(new.differences(&expected.collect()), Vec::<String>::new());
        assert_eq!(new.len(), 600);
    }
    assert!(killed_in_the_middle > 1, "it was never caught publishing");
}

#[test]
fn output_that_changes_under_a_kill_is_right_after_the_next_run() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", DATUMS);
    workspace.succeeds(&spec());
    for number in 0..DATUMS / 2 {
        workspace.remove(&format!("in/{number:03}"));
        workspace.file(&format!("in/{:03}", number + 100), format!("{number}!\n"));
    }
    kill_after(&workspace, workspace.start_run(&spec(), &[]), DATUMS / 2);
    workspace.succeeds(&spec());
    let twin = Workspace::new();
    for (path, content) in (DATUMS / 2..DATUMS)
        .map(|n| (n, format!("{n}\n")))
        .chain((0..DATUMS / 2).map(|n| (n + 100, format!("{n}!\n"))))
    {
        twin.file(&format!("in/{path:03}"), content);
    }
    twin.succeeds(&spec());
    assert_eq!(workspace.tree("made"), twin.tree("made"));
}

#[test]
fn a_job_that_was_cut_off_says_so() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 3);
    let running = workspace.start_run(&spec().sh(r#"echo >> "$OUTSIDE/runs"; sleep 1000"#), &[]);
    kill_after(&workspace, running, 1);
    let job = workspace.call(&["job", "last", "--output", "json"]).job();
    assert_eq!((job.state(), job.reason()), ("killed", "interrupted"));
    workspace.call(&["wait", "last"]).code(3);
}

#[test]
fn a_crash_leaves_no_litter_behind_for_good() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 6);
    let running = workspace.start_run(
        &spec().sh(r#"echo big > /pfs/out/half; echo >> "$OUTSIDE/runs"; sleep 1000"#),
        &[],
    );
    kill_after(&workspace, running, 1);
    let left = workspace.path(".drover/scratch").read_dir();
    assert!(left.unwrap().count() > 0, "nothing to remove");
    workspace.succeeds(&spec());
    let scratch = workspace.tree(".drover/scratch");
    assert!(scratch.is_empty(), "left in scratch: {scratch:?}");
}
