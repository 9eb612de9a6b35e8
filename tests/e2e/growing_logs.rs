//! `drover logs --follow` shows the output of attempts that run, once.

use std::fs;

use drover_tests::{Spec, Workspace, eventually};

/// A pipeline whose datums print a line, wait for a gate, and print another.
fn talkative() -> Spec {
    Spec::new("talk").reads("in", "/*").sh(r#"
        echo "one $in"
        while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.05; done
        echo "two $in""#)
}

/// The path in the only line that a command printed so far, as the log has it.
fn lines_of(text: &str) -> Vec<String> {
    let last_word = |line: &str| line.replace("/pfs/in/", "");
    text.lines().map(last_word).collect()
}

#[test]
fn the_output_of_a_running_attempt_is_shown_while_it_grows_and_each_line_once() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 2);
    let run = workspace.start_run(&talkative(), &["--workers", "2"]);
    let logs = workspace.path(".drover/jobs");
    eventually("the job has begun", || logs.is_dir());
    eventually("its id can be named", || {
        workspace.call(&["job", "last"]).status.success()
    });
    let followed = workspace.start(&["logs", "--follow"]);
    let one = workspace.start(&["logs", "--follow", "--datum", "1"]);
    for (follower, expected) in [(&followed, 2), (&one, 1)] {
        eventually("the first lines are shown", || {
            lines_of(&follower.stdout()).len() == expected
        });
    }
    assert_eq!(lines_of(&one.stdout()), ["one 001"]);
    workspace.open_gate("gate");
    run.finish().code(0);
    let mut all = lines_of(&followed.finish().code(0).stdout);
    all.sort();
    assert_eq!(
        all,
        [
            "0.1 | one 000",
            "0.1 | two 000",
            "1.1 | one 001",
            "1.1 | two 001"
        ]
    );
    assert_eq!(
        lines_of(&one.finish().code(0).stdout),
        ["one 001", "two 001"]
    );
    let live = fs::read_dir(workspace.path(".drover/jobs"))
        .unwrap()
        .map(|job| job.unwrap().path().join("live"))
        .filter(|live| live.is_dir())
        .flat_map(|live| fs::read_dir(live).unwrap());
    assert_eq!(live.count(), 0, "nothing stays");
}
